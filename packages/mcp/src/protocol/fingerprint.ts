/** What tells arguments and definitions apart without keeping what they say. */
import { isObject } from "./message.ts";

/** Lives as long as the process and is nowhere else: no hash can be tried against guesses afterwards. */
const KEY = crypto.getRandomValues(new Uint8Array(32)).toHex();

/** Parts of a value that are looked at: a shape tells calls apart, it is no copy. */
const MAX_PARTS = 1_000;
const MAX_DEPTH = 32;

/** The hash of a shape is asked for at every call, and there are few. */
const shapeHashes = new Map<string, string>();
const MAX_SHAPES = 1_000;

/** Equal for equal JSON texts, in this process alone. */
export function hashOfValue(json: string): string {
  return sha256(KEY + json, 16);
}

/** Equal for values of the same keys and types, whatever the order of the keys. */
export function hashOfShape(value: unknown): string {
  const shape = shapeOf(value);
  const known = shapeHashes.get(shape);
  if (known !== undefined) return known;
  const hash = sha256(shape, 16);
  if (shapeHashes.size < MAX_SHAPES) shapeHashes.set(shape, hash);
  return hash;
}

/** Equal for equal values, whatever the order of their keys; the same on every machine. */
export function hashOfContent(value: unknown): string {
  return sha256(JSON.stringify(sorted(value)), 32);
}

/**
 * The keys and types of a value: `{limit:number,tags:[string]}`. Of a list, the shapes that occur in it. What
 * lies beyond 1,000 parts or 32 levels is `…`.
 */
export function shapeOf(value: unknown): string {
  let parts = 0;
  const shape = (part: unknown, depth: number): string => {
    parts += 1;
    if (parts > MAX_PARTS || depth > MAX_DEPTH) return "…";
    if (Array.isArray(part)) {
      const shapes = new Set(part.slice(0, MAX_PARTS).map((item) => shape(item, depth + 1)));
      return `[${[...shapes].toSorted().join("|")}]`;
    }
    if (!isObject(part)) return part === null ? "null" : typeof part;
    const keys = Object.keys(part).slice(0, MAX_PARTS).toSorted();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${shape(part[key], depth + 1)}`).join(",")}}`;
  };
  return shape(value, 0);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const keys = Object.keys(value).toSorted();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}

function sha256(text: string, digits: number): string {
  return Bun.SHA256.hash(text, "hex").slice(0, digits);
}
