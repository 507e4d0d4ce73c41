const NEWLINE = 0x0a;

export interface Line {
  /** Starts at 1. */
  readonly number: number;
  /** The line without its line feed; `undefined` if it is longer than the limit. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * Yields the lines of a byte stream; the last one may lack its line feed. Never keeps more than `maxBytes` of a line.
 *
 * Not `node:readline`: it keeps lines of any length, ends lines at U+2028, U+2029 and a lone CR, which JSON text may
 * contain, and replaces invalid UTF-8 instead of reporting it.
 */
export async function* linesOf(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncIterable<Line> {
  let number = 0;
  let parts: Uint8Array[] = [];
  let length = 0;
  const keep = (part: Uint8Array) => {
    length += part.length;
    if (length > maxBytes) parts = [];
    else if (part.length > 0) parts.push(part);
  };
  const end = (): Line => {
    const bytes = length > maxBytes ? undefined : join(parts);
    parts = [];
    length = 0;
    number += 1;
    return { number, bytes };
  };
  for await (const chunk of stream) {
    let start = 0;
    for (
      let stop = chunk.indexOf(NEWLINE);
      stop !== -1;
      start = stop + 1, stop = chunk.indexOf(NEWLINE, start)
    ) {
      keep(chunk.subarray(start, stop));
      yield end();
    }
    keep(chunk.subarray(start));
  }
  if (length > 0) yield end();
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first = new Uint8Array(), ...others] = parts;
  return others.length === 0 ? first : Buffer.concat(parts);
}
