import { errorMessage } from "./errors.ts";

/**
 * Any value as JSON text of at most about `maxLength` characters; always valid JSON, never throws.
 *
 * What JSON has no word for becomes what `JSON.stringify` makes of it, and a bigint its decimal text. A
 * longer text becomes `{"$truncated": <its beginning>, "length": <characters>}`; a value that cannot be
 * read (circular, too deep, a getter that throws) becomes `{"$unserializable": <why>}`.
 */
export function toJsonText(value: unknown, maxLength: number): string | null {
  if (value === undefined) return null;
  const text = stringify(value);
  if (text === undefined) return null;
  if (text.length <= maxLength) return text;
  return JSON.stringify({ $truncated: text.slice(0, maxLength), length: text.length });
}

function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return stringifyWithBigints(value);
  }
}

function stringifyWithBigints(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_key, part: unknown) =>
      typeof part === "bigint" ? part.toString() : part,
    );
  } catch (error) {
    return JSON.stringify({ $unserializable: errorMessage(error) });
  }
}
