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

/** A JSON-RPC request id; `0` and `""` are legal. */
export type RequestId = string | number;

export function isRequestId(value: unknown): value is RequestId {
  return typeof value === "string" || typeof value === "number";
}
