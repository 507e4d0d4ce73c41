const NEWLINE = 0x0a;

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without the line feed; `undefined` if the line is longer than the limit. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * The lines of a byte stream, the last one with or without its line feed. Never holds more of a line than `maxBytes`.
 *
 * Not `node:readline`: it holds a line of any length, ends lines at U+2028, U+2029 and a lone CR, which JSON texts may
 * contain, and replaces invalid UTF-8 instead of handing it over.
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
