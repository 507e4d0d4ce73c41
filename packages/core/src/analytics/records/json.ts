import { boundedCopy } from "./bounded-copy.ts";
import { errorMessage } from "../errors.ts";

/** Maximum number of values visited, unless `maxLength` allows more: one value per 8 characters. */
const MAX_NODES = 8_192;

const MAX_REASON_LENGTH = 256;

/**
 * Returns any value as JSON text of at most `maxLength` characters, or `null` if JSON cannot represent it. The text is
 * always valid for SQLite's JSON functions. Never throws.
 *
 * The text is that of `JSON.stringify`, except for the replacements of `boundedCopy`. A value with a longer text, or
 * with more than 8,192 parts (or one per 8 characters of `maxLength`, if that is more), becomes
 * `{"$truncated": <beginning of the text>, "length": <lower bound of the full length in characters>}`. A value that
 * cannot be read (a cycle, more than 1,000 levels, a getter that throws) becomes `{"$unserializable": <reason>}`. The
 * envelope takes up to 45 characters, even if `maxLength` is smaller.
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

/** Drops the trailing brackets, which close containers that were cut off. */
function withoutClosers(text: string): string {
  let end = text.length;
  while (text[end - 1] === "]" || text[end - 1] === "}") end -= 1;
  return text.slice(0, end);
}

/** Wraps as much of the beginning as fits, escaped, in the `$truncated` envelope. */
function truncated(text: string, length: number, maxLength: number): string {
  const [head, tail] = ['{"$truncated":"', `","length":${length}}`];
  const room = Math.max(0, maxLength - head.length - tail.length);
  // JSON text needs escapes only for quotes and backslashes, as long as it does not end with half a surrogate pair.
  const beginning = text.slice(0, isHighSurrogate(text, room - 1) ? room - 1 : room);
  const escaped = JSON.stringify(beginning).slice(1, -1).slice(0, room);
  return head + withoutHalfEscape(escaped) + tail;
}

function isHighSurrogate(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0xd8_00 && code <= 0xdb_ff;
}

/** Removes the backslash of an escape sequence that was cut in half. */
function withoutHalfEscape(escaped: string): string {
  let end = escaped.length;
  while (escaped[end - 1] === "\\") end -= 1;
  return escaped.slice(0, escaped.length - ((escaped.length - end) % 2));
}
