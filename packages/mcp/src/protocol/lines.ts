const NEWLINE = 0x0a;

/** Maximum length of a line, in bytes. Longer lines are skipped. */
const MAX_LINE_BYTES = 64 * 1_048_576;

/** Splits a byte stream into lines. Skips empty ones. Never cuts a character. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #parts: Uint8Array[] = [];
  #length = 0;
  #skips = false;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (
      let end = chunk.indexOf(NEWLINE);
      end !== -1;
      start = end + 1, end = chunk.indexOf(NEWLINE, start)
    ) {
      this.#keep(chunk.subarray(start, end));
      this.#endLine();
    }
    // A copy, because the owner of the chunk may reuse its memory. `slice` of a Buffer does not copy.
    if (start < chunk.length) this.#keep(new Uint8Array(chunk.subarray(start)));
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > MAX_LINE_BYTES) {
      this.#skips = true;
      this.#parts = [];
    }
    if (!this.#skips) this.#parts.push(part);
  }

  #endLine(): void {
    const parts = this.#parts;
    const isWhole = !this.#skips && this.#length > 0;
    this.#parts = [];
    this.#length = 0;
    this.#skips = false;
    if (isWhole) this.#onLine(Buffer.concat(parts).toString());
  }
}
