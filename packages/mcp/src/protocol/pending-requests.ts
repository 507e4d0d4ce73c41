import type { Call } from "./call.ts";
import { type Direction, type RequestId, keyOfText } from "./message.ts";

/** A request without an answer yet. */
export interface PendingRequest {
  readonly method: string;
  /** The recorded call that it started, if any. */
  readonly call?: Call | undefined;
}

/** Maximum number of pending requests, so that a peer that never answers cannot fill memory. */
const MAX_PENDING = 10_000;

/** The requests without an answer yet, by direction and id, because both sides use the same ids. */
export class PendingRequests {
  readonly #requests = new Map<string, PendingRequest>();

  get isFull(): boolean {
    return this.#requests.size >= MAX_PENDING;
  }

  /** Adds a request. Returns the one with the same id that it replaces, which will get no answer. */
  add(direction: Direction, id: RequestId, request: PendingRequest): PendingRequest | undefined {
    const key = keyOf(direction, id);
    const replaced = this.#requests.get(key);
    this.#requests.set(key, request);
    return replaced;
  }

  /** Removes and returns the request that was sent in this direction. */
  take(direction: Direction, id: RequestId): PendingRequest | undefined {
    const key = keyOf(direction, id);
    const request = this.#requests.get(key);
    if (request) this.#requests.delete(key);
    return request;
  }

  takeAll(): readonly PendingRequest[] {
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    return requests;
  }
}

/** Ids of different types differ: `0` is not `"0"`. */
function keyOf(direction: Direction, id: RequestId): string {
  return `${direction} ${typeof id} ${typeof id === "string" ? keyOfText(id) : id}`;
}
