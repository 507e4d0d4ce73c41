/** The fields of a server-sent event that MCP uses. */
export interface StreamEvent {
  /** `message` if the event has no name. */
  readonly name: string;
  readonly data: string;
}

/** An event is skipped if its data, including the current line, is longer than this, in bytes. */
const MAX_EVENT_BYTES = 64 * 1_048_576;

const LF = 0x0a;
const CR = 0x0d;
const BYTE_ORDER_MARK = "\uFEFF";

/**
 * Reads server-sent events in linear time, regardless of their division into chunks.
 *
 * Not `eventsource-parser`: beyond its size limit it throws until it is reset, and then reads the rest of the long
 * event as a new one. This reader skips the event and reads the next one.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class EventReader {
  readonly #onEvent: (event: StreamEvent) => void;
  /** The incomplete last line. */
  #parts: Uint8Array[] = [];
  #lineLength = 0;
  #isFirstLine = true;
  #endedWithCr = false;
  #name = "";
  #data: string[] = [];
  #dataLength = 0;
  #isTooLong = false;

  constructor(onEvent: (event: StreamEvent) => void) {
    this.#onEvent = onEvent;
  }

  push(chunk: Uint8Array): void {
    // CR LF is one line end, even if split across two chunks.
    let start = this.#endedWithCr && chunk[0] === LF ? 1 : 0;
    if (chunk.length > 0) this.#endedWithCr = false;
    let lf = chunk.indexOf(LF, start);
    let cr = chunk.indexOf(CR, start);
    while (lf !== -1 || cr !== -1) {
      const isCr = cr !== -1 && (lf === -1 || cr < lf);
      const end = isCr ? cr : lf;
      this.#keep(chunk.subarray(start, end));
      this.#endLine();
      start = isCr && lf === end + 1 ? end + 2 : end + 1;
      this.#endedWithCr = isCr && start === end + 1 && start === chunk.length;
      // Search again only for the delimiter that was passed, so that each byte is scanned at most twice.
      if (lf !== -1 && lf < start) lf = chunk.indexOf(LF, start);
      if (isCr) cr = chunk.indexOf(CR, start);
    }
    this.#keep(chunk.subarray(start));
  }

  /** Ends the stream and discards an incomplete event. */
  end(): void {
    this.#parts = [];
    this.#data = [];
  }

  #keep(part: Uint8Array): void {
    this.#lineLength += part.length;
    if (this.#dataLength + this.#lineLength > MAX_EVENT_BYTES) this.#isTooLong = true;
    if (this.#isTooLong) this.end();
    else if (part.length > 0) this.#parts.push(part);
  }

  #endLine(): void {
    const length = this.#lineLength;
    const line = this.#parts;
    this.#parts = [];
    this.#lineLength = 0;
    if (length === 0) this.#endEvent();
    else if (!this.#isTooLong) this.#readField(Buffer.concat(line).toString(), length);
    this.#isFirstLine = false;
  }

  #readField(line: string, bytes: number): void {
    const text = this.#isFirstLine && line.startsWith(BYTE_ORDER_MARK) ? line.slice(1) : line;
    const colon = text.indexOf(":");
    const field = colon === -1 ? text : text.slice(0, colon);
    if (field !== "data" && field !== "event") return;
    const start = text[colon + 1] === " " ? colon + 2 : colon + 1;
    const value = colon === -1 ? "" : text.slice(start);
    if (field === "event") {
      this.#name = value;
      return;
    }
    this.#data.push(value);
    this.#dataLength += bytes;
  }

  #endEvent(): void {
    const event = { name: this.#name || "message", data: this.#data.join("\n") };
    const isEvent = this.#data.length > 0;
    this.#name = "";
    this.#data = [];
    this.#dataLength = 0;
    this.#isTooLong = false;
    if (isEvent) this.#onEvent(event);
  }
}
