/** Headers that concern only one connection: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 */
const HOP_BY_HOP: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  // Announces trailers, which are passed on even without it.
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Alternating names and values in their original spelling and order: `rawHeaders` of `node:http`. */
export type RawHeaders = readonly string[];

export type Header = [name: string, value: string];

/**
 * Returns the headers that a proxy passes on: all except those of the connection and those named by `Connection`.
 * `Content-Length` is passed on even if `Connection` names it, because a message without its length could be read as
 * two.
 */
export function endToEnd(raw: RawHeaders): Header[] {
  const dropped = new Set([...HOP_BY_HOP, ...connectionOptions(raw)]);
  dropped.delete("content-length");
  return pairsOf(raw).filter(([name]) => !dropped.has(name.toLowerCase()));
}

/** Returns the options of the `Connection` header in lower case: `close`, or names of headers. */
export function connectionOptions(raw: RawHeaders): string[] {
  return valuesOf(raw, "connection")
    .flatMap((value) => value.split(","))
    .map((option) => option.trim().toLowerCase());
}

/** Returns all values of a header, in order. */
export function valuesOf(raw: RawHeaders, name: string): string[] {
  return pairsOf(raw)
    .filter(([found]) => found.toLowerCase() === name)
    .map(([, value]) => value);
}

function pairsOf(raw: RawHeaders): Header[] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [
    raw[2 * index] ?? "",
    raw[2 * index + 1] ?? "",
  ]);
}
