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

/** Pause between two slices, in which others write, in milliseconds. */
const PAUSE_MS = 20;

/** Pause after a slice that failed, in milliseconds. */
const RETRY_MS = 5_000;

/** A lock that keeps slices from being removed for longer is worth a warning, in milliseconds. */
const LONG_LOCK_MS = 600_000;

/** Removes what a retention policy does not keep, slice by slice, while nothing else is written. */
export class Tidying {
  readonly #options: TidyingOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When a slice failed first since one succeeded. */
  #failingSince: number | undefined;
  #hasWarned = false;

  constructor(options: TidyingOptions) {
    this.#options = options;
  }

  /** Begins when nothing was written for a second. */
  start(): void {
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
    const { client, retention, done } = this.#options;
    const connection = client();
    if (!connection) return;
    try {
      const hasMore = retention.slice(connection, Date.now());
      this.#failingSince = undefined;
      this.#hasWarned = false;
      if (hasMore) this.#schedule(PAUSE_MS);
      else done();
    } catch (error) {
      this.#onFailure(error);
      this.#schedule(RETRY_MS);
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
