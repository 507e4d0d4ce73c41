import { beginningOf } from "./beginning.ts";
import type { CallDetails } from "./metadata.ts";

/** Longest stored texts, in UTF-16 code units. Longer ones are cut, never refused. */
export const MAX_NAME_LENGTH = 256;
export const MAX_MESSAGE_LENGTH = 4_096;

/** Longest stored JSON text of `attributes`, in UTF-16 code units; see `toJsonText` for a longer one. */
export const MAX_ATTRIBUTES_LENGTH = 16_384;

/** Whether any text may be longer than is stored of it. */
export function hasLongText(call: Readonly<Record<string, unknown>>): boolean {
  for (const key in call) {
    const value = call[key];
    if (typeof value === "string" && value.length > MAX_NAME_LENGTH) return true;
  }
  return false;
}

/** The call with no text longer than is stored of it, so that nothing longer is kept on the way. */
export function cutTexts(call: CallDetails): CallDetails {
  const texts = Object.entries(call).map(([key, value]) => {
    if (typeof value !== "string") return [key, value] as const;
    return [
      key,
      cut(value, key === "errorMessage" ? MAX_MESSAGE_LENGTH : MAX_NAME_LENGTH),
    ] as const;
  });
  return { ...call, ...Object.fromEntries(texts) };
}

/** An identifier or a name; an empty one says nothing and is stored as none. */
export function name(value: string | undefined): string | null {
  return value ? cut(value, MAX_NAME_LENGTH) : null;
}

/** A NUL ends a text for SQLite's functions; half a surrogate pair is not UTF-8. Both become U+FFFD. */
const SUSPECT = /[\0\ud800-\udfff]/;

/** The text, at most `maxLength` long and storable. */
export function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength && !SUSPECT.test(text)) return text;
  // By way of bytes: a slice alone would keep the whole of a huge text in memory.
  const copy = Buffer.from(beginningOf(text, maxLength)).toString();
  return copy.replaceAll("\0", "\ufffd");
}
