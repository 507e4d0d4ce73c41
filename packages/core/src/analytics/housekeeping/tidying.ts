import type { Database } from "bun:sqlite";
import { errorMessage, isBusy } from "../errors.ts";
import type { Retention } from "./retention.ts";

export interface TidyingOptions {
  readonly path: string;
  /** Returns the connection to use, if one is open. */
  readonly client: () => Database | undefined;
  readonly retention: Retention;
  /** Called when there is nothing left to remove. */
  readonly done: () => void;
  readonly warn: (message: string) => void;
}

/** Time after the last write until tidying begins, in milliseconds. */
const IDLE_MS = 1_000;

/** Longest time without a slice while writes continue, in milliseconds; then one runs between two writes. */
const TURN_MS = 1_000;

/** The same while more data remains to be removed: a slice of 500 calls takes milliseconds. */
const BACKLOG_TURN_MS = 100;

/** Pause between two slices in which others can write, in milliseconds. */
const PAUSE_MS = 20;

/** Pause after a failed slice, in milliseconds. */
const RETRY_MS = 5_000;

/** How long a lock may delay removal before a warning is logged, in milliseconds. */
const LONG_LOCK_MS = 600_000;

/** Applies a retention policy slice by slice: while no other writes occur, and at intervals under load. */
export class Tidying {
  readonly #options: TidyingOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The time of the first failure since the last successful slice. */
  #failingSince: number | undefined;
  #hasWarned = false;
  /** The time from which a slice runs after the next write. */
  #dueAt = performance.now() + TURN_MS;

  constructor(options: TidyingOptions) {
    this.#options = options;
  }

  /**
   * Call this after each write. Runs one slice now if it is due, and the remaining slices after a second without
   * writes.
   */
  start(): void {
    if (performance.now() >= this.#dueAt) this.#slice();
    this.#schedule(IDLE_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #schedule(pauseMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tidy(), pauseMs);
  }

  #tidy(): void {
    const outcome = this.#slice();
    if (outcome === "more") this.#schedule(PAUSE_MS);
    else if (outcome === "failed") this.#schedule(RETRY_MS);
    else if (outcome === "done") this.#options.done();
  }

  #slice(): "more" | "done" | "failed" | "closed" {
    const { client, retention } = this.#options;
    const connection = client();
    if (!connection) return "closed";
    try {
      const hasMore = retention.slice(connection, Date.now());
      this.#dueAt = performance.now() + (hasMore ? BACKLOG_TURN_MS : TURN_MS);
      this.#failingSince = undefined;
      this.#hasWarned = false;
      return hasMore ? "more" : "done";
    } catch (error) {
      this.#dueAt = performance.now() + RETRY_MS;
      this.#onFailure(error);
      return "failed";
    }
  }

  /** Warns once per failure. A lock is not a fault, so it causes a warning only after 10 minutes. */
  #onFailure(error: unknown): void {
    const now = performance.now();
    this.#failingSince ??= now;
    if (this.#hasWarned) return;
    if (isBusy(error) && now - this.#failingSince < LONG_LOCK_MS) return;
    this.#hasWarned = true;
    const { path, warn } = this.#options;
    warn(
      `Old calls could not be removed from ${path} (${errorMessage(error)}). Removal is retried until it succeeds.`,
    );
  }
}
