import { isRope } from "bun:jsc";

/** The engine flattens a concatenated string before it can be sliced: up to 15 ns per character. */
const MAX_JOINED_LENGTH = 262_144;

/** Whether a string is longer than 262,144 characters and not yet flattened, so that slicing it is expensive. */
export function isCostlyToCut(text: string): boolean {
  return text.length > MAX_JOINED_LENGTH && isRope(text);
}

/** Returns the first `maxLength` characters, or a note of the length if the string is costly to slice. */
export function beginningOf(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const readable = isCostlyToCut(text)
    ? `[a concatenated text of ${text.length} characters]`
    : text;
  return readable.slice(0, maxLength);
}
