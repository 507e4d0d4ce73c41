import { type Connection, type Direction, Instrumentation, LineSplitter } from "@toolmeter/mcp";
import { parseMessage } from "./message.ts";
import type { RecordOptions } from "./options.ts";

/** Reads a copy of the bytes between a client and a stdio server. What it cannot read, it passes over. */
export class StdioObserver {
  readonly #instrumentation: Instrumentation;
  readonly #splitters: Record<Direction, LineSplitter>;
  #connection: Connection | undefined;

  constructor(options: RecordOptions) {
    this.#instrumentation = new Instrumentation("process", options);
    this.#splitters = { received: this.#splitter("received"), sent: this.#splitter("sent") };
  }

  /** Takes note of bytes. Never throws. */
  observe(direction: Direction, chunk: Uint8Array): void {
    this.#instrumentation.recorder.guard(() => this.#splitters[direction].push(chunk));
  }

  /**
   * The connection is over: writes what is recorded. Never rejects.
   * @param isServerEnd Whether the server ended while its client was still there: what it was working on has failed.
   */
  async end(isServerEnd: boolean): Promise<void> {
    this.#instrumentation.recorder.guard(() =>
      this.#connection?.closed(isServerEnd ? "server_ended" : "closed"),
    );
    await this.#instrumentation.shutdown();
  }

  #splitter(direction: Direction): LineSplitter {
    return new LineSplitter((line) => {
      const message = parseMessage(line);
      if (message === undefined) return;
      // No file is made for a program that is no server.
      this.#connection ??= this.#instrumentation.connect({ transport: "stdio" });
      this.#connection.observe(direction, message);
    });
  }
}
