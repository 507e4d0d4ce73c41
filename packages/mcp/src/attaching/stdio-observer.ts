import type { Conversation } from "../protocol/conversation.ts";
import { LineSplitter } from "../protocol/lines.ts";
import { type Direction, parseMessage } from "../protocol/message.ts";
import type { Instrumentation } from "./instrumentation.ts";

/** Records the calls in a copy of the bytes between a client and a stdio server. Ignores other lines. Never throws. */
export class StdioObserver {
  readonly #instrumentation: Instrumentation;
  readonly #lines: Readonly<Record<Direction, LineSplitter>>;
  #conversation: Conversation | undefined;

  constructor(instrumentation: Instrumentation) {
    this.#instrumentation = instrumentation;
    this.#lines = { received: this.#splitter("received"), sent: this.#splitter("sent") };
  }

  /** Reads bytes. The direction is the server's. */
  observe(direction: Direction, chunk: Uint8Array): void {
    this.#instrumentation.guard(() => this.#lines[direction].push(chunk));
  }

  /** Ends the session; see `Conversation.closed`. */
  closed(reason?: string): void {
    this.#conversation?.closed(reason);
  }

  #splitter(direction: Direction): LineSplitter {
    return new LineSplitter((line) => {
      const message = parseMessage(line);
      if (message === undefined) return;
      // Not earlier, so that no file is created for a program that is not a server.
      this.#conversation ??= this.#instrumentation.connect({ transport: "stdio" });
      this.#conversation.observe(direction, message);
    });
  }
}
