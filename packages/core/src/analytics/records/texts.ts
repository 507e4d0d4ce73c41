import { beginningOf } from "./beginning.ts";
import type { CallDetails } from "./metadata.ts";

/** Maximum lengths of stored texts, in UTF-16 code units. Longer texts are cut, never refused. */
export const MAX_NAME_LENGTH = 256;
export const MAX_MESSAGE_LENGTH = 4_096;

/** Longest stored JSON text of `attributes`, in UTF-16 code units; `toJsonText` truncates a longer one. */
export const MAX_ATTRIBUTES_LENGTH = 16_384;

/** Whether any text of the call may exceed its stored length. */
export function hasLongText(call: Readonly<Record<string, unknown>>): boolean {
  for (const key in call) {
    const value = call[key];
    if (typeof value === "string" && value.length > MAX_NAME_LENGTH) return true;
  }
  return false;
}

/** Cuts every text of the call to its stored length, so that no longer text is kept in memory or in the journal. */
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

/** Cuts an identifier or name to its stored length; an empty one becomes `null`. */
export function toName(value: string | undefined): string | null {
  return value ? cut(value, MAX_NAME_LENGTH) : null;
}

/** SQLite's functions end a text at NUL, and half a surrogate pair is invalid UTF-8. Both become U+FFFD. */
const SUSPECT = /[\0\ud800-\udfff]/;

/** Returns the text, storable in SQLite and at most `maxLength` code units long. */
export function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength && !SUSPECT.test(text)) return text;
  // Copies through bytes: a slice alone would keep the whole text in memory.
  const copy = Buffer.from(beginningOf(text, maxLength)).toString();
  return copy.replaceAll("\0", "\ufffd");
}
