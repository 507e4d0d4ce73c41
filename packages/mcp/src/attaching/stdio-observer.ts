import type { Conversation } from "../protocol/conversation.ts";
import { LineSplitter } from "../protocol/lines.ts";
import { type Direction, parseMessage } from "../protocol/message.ts";
import type { Instrumentation } from "./instrumentation.ts";

/** Records a copy of the bytes between a client and a stdio server. What is no message is passed over. Never throws. */
export class StdioObserver {
  readonly #instrumentation: Instrumentation;
  readonly #lines: Readonly<Record<Direction, LineSplitter>>;
  #conversation: Conversation | undefined;

  constructor(instrumentation: Instrumentation) {
    this.#instrumentation = instrumentation;
    this.#lines = { received: this.#splitter("received"), sent: this.#splitter("sent") };
  }

  /** Reads bytes, as seen from the server. */
  observe(direction: Direction, chunk: Uint8Array): void {
    this.#instrumentation.guard(() => this.#lines[direction].push(chunk));
  }

  /** Nothing comes any more; see `Conversation.closed`. */
  closed(reason?: string): void {
    this.#conversation?.closed(reason);
  }

  #splitter(direction: Direction): LineSplitter {
    return new LineSplitter((line) => {
      const message = parseMessage(line);
      if (message === undefined) return;
      // No file is made for a program that is no server.
      this.#conversation ??= this.#instrumentation.connect({ transport: "stdio" });
      this.#conversation.observe(direction, message);
    });
  }
}
