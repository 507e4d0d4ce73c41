import { beginningOf } from "@toolmeter/core/beginning";

/** JSON-RPC messages as they come: of unknown shape until looked at. */
export type JsonObject = { readonly [key: string]: unknown };

/** `received` and `sent` are seen from the side that is observed. */
export type Direction = "received" | "sent";

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object of that name, or one without properties. */
export function objectAt(parent: unknown, key: string): JsonObject {
  const value = isObject(parent) ? parent[key] : undefined;
  return isObject(value) ? value : {};
}

/** The text of that name, if it says anything. */
export function textAt(parent: unknown, key: string): string | undefined {
  const value = isObject(parent) ? parent[key] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Longest beginning of a text that is looked at, in characters; the core stores no longer name or message. */
const MAX_TEXT = 4_096;

/** The same, of a long text its beginning. */
export function shortTextAt(parent: unknown, key: string): string | undefined {
  const text = textAt(parent, key);
  return text === undefined ? undefined : beginningOf(text, MAX_TEXT);
}

/** A key for a map: a long text's beginning and length, because the map would read all of it. */
export function keyOfText(text: string): string {
  return text.length <= MAX_TEXT ? text : `${beginningOf(text, MAX_TEXT)}…${text.length}`;
}

/** A JSON-RPC request id; `0` and `""` are legal. */
export type RequestId = string | number;

export function isRequestId(value: unknown): value is RequestId {
  return typeof value === "string" || typeof value === "number";
}

const BYTE_ORDER_MARK = "\uFEFF";

/** The JSON-RPC message of a text; undefined if it is none: servers print other things too. */
export function parseMessage(text: string): unknown {
  if (!text.includes('"jsonrpc"')) return undefined;
  try {
    return JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);
  } catch {
    return undefined;
  }
}
