import type { Database } from "bun:sqlite";
import { errorMessage, isBusy } from "../errors.ts";
import type { Retention } from "./retention.ts";

export interface TidyingOptions {
  readonly path: string;
  /** The connection to tidy through, if one is open. */
  readonly client: () => Database | undefined;
  readonly retention: Retention;
  /** Runs when there is nothing left to remove. */
  readonly done: () => void;
  readonly warn: (message: string) => void;
}

/** How long after the last write tidying begins, in milliseconds. */
const IDLE_MS = 1_000;

/** Time without a slice after which one runs between two writes, in milliseconds. */
const TURN_MS = 1_000;

/** The same while more is left to remove: a slice of 500 calls takes milliseconds. */
const BACKLOG_TURN_MS = 100;

/** Pause between two slices, in which others write, in milliseconds. */
const PAUSE_MS = 20;

/** Pause after a slice that failed, in milliseconds. */
const RETRY_MS = 5_000;

/** A lock that keeps slices from being removed for longer is worth a warning, in milliseconds. */
const LONG_LOCK_MS = 600_000;

/** Removes what a retention policy does not keep, slice by slice: when nothing else is written, and at intervals under load. */
export class Tidying {
  readonly #options: TidyingOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When a slice failed first since one succeeded. */
  #failingSince: number | undefined;
  #hasWarned = false;
  /** From this time on, a slice runs after the next write. */
  #dueAt = performance.now() + TURN_MS;

  constructor(options: TidyingOptions) {
    this.#options = options;
  }

  /** Call after each write. Runs one slice now if it is due, and all that is left once no write comes for a second. */
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

  /** Warns once: of a lock, which is no fault, only if it goes on for long. */
  #onFailure(error: unknown): void {
    const now = performance.now();
    this.#failingSince ??= now;
    if (this.#hasWarned) return;
    if (isBusy(error) && now - this.#failingSince < LONG_LOCK_MS) return;
    this.#hasWarned = true;
    const { path, warn } = this.#options;
    warn(
      `Old calls could not be removed from ${path} (${errorMessage(error)}). It is tried again until it succeeds.`,
    );
  }
}
