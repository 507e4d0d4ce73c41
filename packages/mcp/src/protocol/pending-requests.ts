import type { Call } from "./call.ts";
import { type Direction, type RequestId, keyOfText } from "./message.ts";

/** A request without an answer yet. */
export interface PendingRequest {
  readonly method: string;
  /** The call that it began, if it is one that is recorded. */
  readonly call?: Call | undefined;
}

/** Requests that are followed at once at most: a peer that never answers must not fill memory. */
const MAX_PENDING = 10_000;

/** The requests of a conversation that wait for their answers, by direction and id: ids restart with each side. */
export class PendingRequests {
  readonly #requests = new Map<string, PendingRequest>();

  get isFull(): boolean {
    return this.#requests.size >= MAX_PENDING;
  }

  /** Adds a request. Returns the one of the same id that it replaces: nobody waits for that one any more. */
  add(direction: Direction, id: RequestId, request: PendingRequest): PendingRequest | undefined {
    const key = keyOf(direction, id);
    const replaced = this.#requests.get(key);
    this.#requests.set(key, request);
    return replaced;
  }

  /** Takes out the request that was sent in this direction. */
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

/** When two ids are the same: `0` is not `"0"`. */
function keyOf(direction: Direction, id: RequestId): string {
  return `${direction} ${typeof id} ${typeof id === "string" ? keyOfText(id) : id}`;
}
