import { isRope } from "bun:jsc";

/** The engine joins a concatenated text before it gives any of it: up to 15 ns a character. */
const MAX_JOINED_LENGTH = 262_144;

/** Whether a text is longer than 262,144 characters and still in the parts that it was concatenated from. */
export function isCostlyToCut(text: string): boolean {
  return text.length > MAX_JOINED_LENGTH && isRope(text);
}

/** The first characters of a text; of one that is costly to cut, a note of its length. */
export function beginningOf(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const readable = isCostlyToCut(text)
    ? `[a concatenated text of ${text.length} characters]`
    : text;
  return readable.slice(0, maxLength);
}
