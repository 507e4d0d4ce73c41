import { analyticsErrorCode, errorMessage } from "../errors.ts";
import { Meter } from "./meter.ts";
import { explainRefusal } from "../records/metadata.ts";
import type { Reporter } from "./reporter.ts";
import type { TelemetryStats } from "./stats.ts";
import type { DropReason } from "../vocabulary.ts";
import type { Rejection } from "../writing/batcher.ts";
import type { CommitCost } from "../writing/file-writer.ts";

/** A batch that was written. */
export interface WrittenBatch {
  readonly count: number;
  readonly rejections: readonly Rejection[];
  /** Time from passing the batch to the writer until its acknowledgement. */
  readonly durationMs: number;
  /** The cost of the commit, if it is known. */
  readonly cost?: CommitCost | undefined;
  /** Whether the queue has enough room to count an overflow as over. */
  readonly hasRoom: boolean;
}

/** Counts what happens to records, and reports it. */
export class Tally {
  readonly #reporter: Reporter;
  readonly #meter = new Meter();
  readonly #dropped: Record<DropReason, number> = {
    invalid: 0,
    queue_full: 0,
    unwritable: 0,
    unknown_session: 0,
    shut_down: 0,
    shutdown_timeout: 0,
  };
  #written = 0;
  #recovered: number;
  #failedFlushes = 0;
  #lastError: TelemetryStats["lastError"] = null;

  /** @param recovered Number of records that were imported from dead processes before the service started. */
  constructor(reporter: Reporter, recovered = 0) {
    this.#reporter = reporter;
    this.#recovered = recovered;
  }

  get counts() {
    return {
      written: this.#written,
      dropped: { ...this.#dropped },
      recovered: this.#recovered,
      failedFlushes: this.#failedFlushes,
      lastError: this.#lastError && { ...this.#lastError },
      ...this.#meter.readings,
    };
  }

  /** Counts a record that is invalid. */
  invalid(what: string, error: unknown): void {
    this.#dropped.invalid += 1;
    this.#reporter.refused(what, explainRefusal(error));
  }

  /** Counts a record that was dropped because `queued` others filled the queue. */
  queueFull(queued: number): void {
    this.#dropped.queue_full += 1;
    this.#reporter.overflowed(queued);
  }

  /** Counts a record that came after the shutdown. */
  late(): void {
    this.#dropped.shut_down += 1;
    this.#reporter.afterShutdown();
  }

  written({ count, rejections, durationMs, cost, hasRoom }: WrittenBatch): void {
    this.#written += count - rejections.length;
    this.#meter.wrote(durationMs, cost);
    for (const { error } of rejections) {
      this.#dropped[dropReason(error)] += 1;
      this.#reporter.rejected(error);
    }
    this.#reporter.written(count - rejections.length, durationMs, hasRoom);
  }

  /** Counts a failed write, the `failures`th in a row. */
  failed(error: unknown, failures: number, retryInMs: number, queued: number): void {
    this.#failedFlushes += 1;
    this.#lastError = { message: errorMessage(error), at: Date.now() };
    this.#reporter.failed(error, failures, retryInMs, queued);
  }

  /** Counts records that were imported from dead processes. */
  recovered(records: number): void {
    this.#recovered += records;
  }

  /** Adds time that recording spent on a caller's stack. */
  took(nanoseconds: number): void {
    this.#meter.recording += nanoseconds;
  }
}

function dropReason(error: unknown): DropReason {
  return analyticsErrorCode(error) === "unknown_session" ? "unknown_session" : "unwritable";
}
