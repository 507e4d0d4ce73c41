import { errorMessage } from "./errors.ts";

/** SQLite's own JSON functions refuse a text that is nested deeper (https://sqlite.org/json1.html). */
const MAX_DEPTH = 1_000;

/**
 * Any value as JSON text; always valid JSON, never throws.
 *
 * What JSON has no word for becomes what `JSON.stringify` makes of it, and a bigint its decimal text. A
 * text longer than `maxLength` becomes `{"$truncated": <its beginning>, "length": <characters>}`; a value
 * that cannot be read (circular, too deep, a getter that throws) becomes `{"$unserializable": <why>}`.
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
    // Asked first: to find out by overflowing the stack takes about a second.
    if (isDeeper(value, MAX_DEPTH, new Set()))
      throw new RangeError(`more than ${MAX_DEPTH} levels deep`);
    return stringifyWithBigints(value);
  } catch (error) {
    return JSON.stringify({ $unserializable: errorMessage(error) });
  }
}

/** A replacer makes every value slower, so it is for those that need it. */
function stringifyWithBigints(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (!errorMessage(error).includes("BigInt")) throw error;
    return JSON.stringify(value, (_key, part: unknown) =>
      typeof part === "bigint" ? part.toString() : part,
    );
  }
}

/** Whether an object nests deeper than `levels`; each of its parts is looked at once. */
function isDeeper(value: unknown, levels: number, seen: Set<object>): boolean {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  if (levels === 0) return true;
  if (seen.has(value)) return false;
  seen.add(value);
  return Object.values(value).some((part) => isDeeper(part, levels - 1, seen));
}
