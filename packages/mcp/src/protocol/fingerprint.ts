/** Hashes that compare arguments and definitions without storing them. */
import { isObject } from "./message.ts";

/** Exists only in this process, so that nobody can later find arguments by hashing guesses. */
const KEY = crypto.getRandomValues(new Uint8Array(32)).toHex();

/** Limits of a shape, which distinguishes calls and is not a copy. */
const MAX_PARTS = 1_000;
const MAX_DEPTH = 32;

/** Every call needs the hash of a shape, and there are few shapes. */
const shapeHashes = new Map<string, string>();
const MAX_SHAPES = 1_000;

/** Returns a hash that is equal for equal JSON texts, in this process only. */
export function hashOfValue(json: string): string {
  return sha256(KEY + json, 16);
}

/** Returns a hash that is equal for values with the same keys and types, in any order of keys. */
export function hashOfShape(value: unknown): string {
  const shape = shapeOf(value);
  const known = shapeHashes.get(shape);
  if (known !== undefined) return known;
  const hash = sha256(shape, 16);
  if (shapeHashes.size < MAX_SHAPES) shapeHashes.set(shape, hash);
  return hash;
}

/** Returns a hash that is equal for equal values, in any order of keys and on every machine. */
export function hashOfContent(value: unknown): string {
  return sha256(JSON.stringify(sorted(value)), 32);
}

/**
 * Returns the keys and types of a value: `{limit:number,tags:[string]}`. For a list, the distinct shapes in it. Parts
 * beyond 1,000 parts or 32 levels become `…`.
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
