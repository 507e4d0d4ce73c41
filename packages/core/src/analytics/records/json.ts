import { boundedCopy } from "./bounded-copy.ts";
import { errorMessage } from "../errors.ts";

/** Values visited at most, or one for each 8 characters if a longer text is allowed. */
const MAX_NODES = 8_192;

const MAX_REASON_LENGTH = 256;

/**
 * Any value as JSON text of at most `maxLength` characters; always valid for SQLite's JSON functions, never throws.
 *
 * The text is that of `JSON.stringify`, except for what `boundedCopy` replaces. A value whose text is longer, or that
 * has more than 8,192 parts (or one for each 8 characters of `maxLength`), becomes
 * `{"$truncated": <beginning of the text>, "length": <characters of the whole text, at least>}`. A value that cannot be
 * read (a cycle, more than 1,000 levels, a getter that throws) becomes `{"$unserializable": <reason>}`. The envelope
 * alone takes up to 45 characters, whatever `maxLength` is.
 */
export function toJsonText(value: unknown, maxLength: number): string | null {
  const { text, length, isWhole } = stringify(value, maxLength);
  if (text === undefined) return null;
  if (isWhole && text.length <= maxLength) return text;
  return isWhole
    ? truncated(text, text.length, maxLength)
    : truncated(withoutClosers(text), length, maxLength);
}

interface BoundedText {
  readonly text: string | undefined;
  readonly length: number;
  readonly isWhole: boolean;
}

function stringify(value: unknown, maxLength: number): BoundedText {
  try {
    const nodes = Math.max(MAX_NODES, maxLength / 8);
    const copy = boundedCopy(value, { nodes, characters: maxLength });
    return { ...copy, text: JSON.stringify(copy.value) };
  } catch (error) {
    const text = JSON.stringify({
      $unserializable: errorMessage(error).slice(0, MAX_REASON_LENGTH),
    });
    return { text, length: text.length, isWhole: true };
  }
}

/** The brackets at the end close what was not finished. */
function withoutClosers(text: string): string {
  let end = text.length;
  while (text[end - 1] === "]" || text[end - 1] === "}") end -= 1;
  return text.slice(0, end);
}

/** As much of the beginning as fits, escaped, between the rest. */
function truncated(text: string, length: number, maxLength: number): string {
  const [head, tail] = ['{"$truncated":"', `","length":${length}}`];
  const room = Math.max(0, maxLength - head.length - tail.length);
  // Without half of a surrogate pair at its end, JSON text has only quotes and backslashes to escape.
  const beginning = text.slice(0, isHighSurrogate(text, room - 1) ? room - 1 : room);
  const escaped = JSON.stringify(beginning).slice(1, -1).slice(0, room);
  return head + withoutHalfEscape(escaped) + tail;
}

function isHighSurrogate(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xd8_00 && code <= 0xdb_ff;
}

/** The cut may have left the first backslash of two characters that belong together. */
function withoutHalfEscape(escaped: string): string {
  let end = escaped.length;
  while (escaped[end - 1] === "\\") end -= 1;
  return escaped.slice(0, escaped.length - ((escaped.length - end) % 2));
}
