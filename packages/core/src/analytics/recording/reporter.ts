import { analyticsErrorCode, errorMessage } from "../errors.ts";
import type { Logger } from "../logger.ts";

/** Shortest time between two warnings of the same kind, for events that can occur with every call, in milliseconds. */
const QUIET_MS = 60_000;

/**
 * Logs the events of the service: one warning when a problem starts and one when it ends, regardless of the number of
 * records.
 */
export class Reporter {
  readonly #logger: Logger;
  #isFailing = false;
  /** Records dropped since the queue became full; zero while it has room. */
  #overflowed = 0;
  /** The time of the last warning per kind, and the number of events since. */
  readonly #quiet = new Map<string, { since: number; count: number }>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  started(path: string, journalMode = "wal"): void {
    this.#logger.info(`Recording tool calls into ${path}.`);
    if (journalMode !== "wal" && path !== ":memory:") {
      this.#logger.warn(
        `Expected write-ahead logging, but the file system of ${path} supports only "${journalMode}": readers and writers block each other. Choose a path on a local disk.`,
      );
    }
  }

  session(event: "started" | "ended", sessionId: string): void {
    this.#logger.debug(`Session ${sessionId} ${event}.`);
  }

  /** The queue refused a record. */
  overflowed(queued: number): void {
    if (this.#overflowed++ > 0) return;
    this.#logger.warn(
      `The queue is full (${queued} records). New records are dropped and counted until there is room.`,
    );
  }

  refused(what: string, error: unknown): void {
    this.#atMostEveryMinute(`Refused ${what}`, errorMessage(error));
  }

  afterShutdown(): void {
    this.#atMostEveryMinute("Ignored a record", "the service was shut down");
  }

  written(count: number, durationMs: number, hasRoom: boolean): void {
    this.#logger.debug(`Wrote ${count} records in ${durationMs.toFixed(1)} ms.`);
    if (this.#isFailing) this.#logger.warn("Writing works again.");
    this.#isFailing = false;
    if (hasRoom) this.#endOverflow();
  }

  rejected(error: unknown): void {
    const text = errorMessage(error);
    if (analyticsErrorCode(error) === "unknown_session") {
      this.#logger.info(text);
    } else this.#atMostEveryMinute("The database refused a record", text);
  }

  failed(error: unknown, failures: number, retryInMs: number, queued: number): void {
    const again = `${queued} records wait in memory; next try in ${Math.ceil(retryInMs)} ms`;
    const text = `Writing failed (${errorMessage(error)}). ${again}.`;
    if (this.#isFailing) this.#logger.debug(`Try ${failures}: ${text}`);
    else this.#logger.warn(text);
    this.#isFailing = true;
  }

  /**
   * Logs the result of a shutdown: `lost` records were neither written nor journalled, `left` ones are in the journal.
   */
  ended(lost: number, left: number): void {
    this.#endOverflow();
    for (const [kind, { count }] of this.#quiet) {
      if (count > 0) this.#logger.warn(`${kind}: ${count} more since the last warning.`);
    }
    const inJournal = "in the journal; the next process that opens the database imports them";
    if (lost > 0) {
      const others = left > 0 ? ` ${left} others wait ${inJournal}.` : "";
      this.#logger.error(`Shut down; ${lost} records could not be written and are lost.${others}`);
    } else if (left > 0) this.#logger.warn(`Shut down; ${left} records wait ${inJournal}.`);
    else this.#logger.info("Shut down; everything is written.");
  }

  /** Logs the result of the exit hook, like `ended`. */
  endedSuddenly(lost: number, left: number, error: unknown): void {
    if (lost === 0) return;
    const others = left > 0 ? ` ${left} others wait in the journal.` : "";
    this.#logger.error(
      `The process is ending, and ${lost} records could not be written and are lost (${errorMessage(error)}).${others}`,
    );
  }

  #endOverflow(): void {
    if (this.#overflowed === 0) return;
    this.#logger.warn(`The queue has room again; ${this.#overflowed} records were dropped.`);
    this.#overflowed = 0;
  }

  #atMostEveryMinute(kind: string, detail: string): void {
    const now = performance.now();
    const last = this.#quiet.get(kind);
    if (last && now - last.since < QUIET_MS) {
      last.count += 1;
      return;
    }
    this.#logger.warn(`${kind}: ${detail}${last?.count ? ` (${last.count} more since)` : ""}`);
    this.#quiet.set(kind, { since: now, count: 0 });
  }
}
