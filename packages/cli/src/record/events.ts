/** An event of a stream, as far as MCP uses them. */
export interface StreamEvent {
  /** `message` if the stream names none. */
  readonly name: string;
  readonly data: string;
}

/** An event that grows longer than this, in characters, is no message: the rest of the stream is passed over. */
const MAX_LENGTH = 64 * 1_048_576;

/** Reads server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
export class EventReader {
  readonly #onEvent: (event: StreamEvent) => void;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(onEvent: (event: StreamEvent) => void) {
    this.#onEvent = onEvent;
  }

  push(chunk: Uint8Array): void {
    if (this.#rest.length > MAX_LENGTH) return;
    const text = this.#rest + this.#decoder.decode(chunk, { stream: true });
    const blocks = text.split(/\r\n\r\n|\n\n|\r\r/);
    // An end that is cut between its two line feeds is found with the next chunk.
    this.#rest = blocks.pop() ?? "";
    for (const block of blocks) this.#onBlock(block);
  }

  /** The stream is over; an event without its end does not count. */
  end(): void {
    this.#rest = "";
  }

  #onBlock(block: string): void {
    let name = "message";
    const data: string[] = [];
    for (const line of block.split(/\r\n|\n|\r/)) {
      const [, field, value = ""] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (field === "event") name = value;
      if (field === "data") data.push(value);
    }
    if (data.length > 0) this.#onEvent({ name, data: data.join("\n") });
  }
}
