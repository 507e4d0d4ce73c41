import { beginningOf } from "@toolmeter/core/beginning";

/** A part of a JSON-RPC message, whose shape is not known yet. */
export type JsonObject = { readonly [key: string]: unknown };

/** The direction of a message, as seen by the observed side. */
export type Direction = "received" | "sent";

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the object under a key, or an empty object. */
export function objectAt(parent: unknown, key: string): JsonObject {
  const value = isObject(parent) ? parent[key] : undefined;
  return isObject(value) ? value : {};
}

/** Returns the text under a key, unless it is empty. */
export function textAt(parent: unknown, key: string): string | undefined {
  const value = isObject(parent) ? parent[key] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Length to which texts are cut, in characters. The core stores no longer names or messages. */
const MAX_TEXT = 4_096;

/** As `textAt`, cut to 4,096 characters. */
export function shortTextAt(parent: unknown, key: string): string | undefined {
  const text = textAt(parent, key);
  return text === undefined ? undefined : beginningOf(text, MAX_TEXT);
}

/** Returns a key for a map. A long text becomes its beginning and length, because a map reads the whole key. */
export function keyOfText(text: string): string {
  return text.length <= MAX_TEXT ? text : `${beginningOf(text, MAX_TEXT)}…${text.length}`;
}

/** A JSON-RPC request id; `0` and `""` are legal. */
export type RequestId = string | number;

export function isRequestId(value: unknown): value is RequestId {
  return typeof value === "string" || typeof value === "number";
}

const BYTE_ORDER_MARK = "\uFEFF";

/** Returns the JSON-RPC message in a line; undefined for any other line, because servers also print other text. */
export function parseMessage(text: string): unknown {
  if (!text.includes('"jsonrpc"')) return undefined;
  try {
    return JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);
  } catch {
    return undefined;
  }
}
