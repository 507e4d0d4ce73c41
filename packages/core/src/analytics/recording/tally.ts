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
  /** From handing the batch over to its acknowledgement. */
  readonly durationMs: number;
  /** What the commit took, if that is known. */
  readonly cost?: CommitCost | undefined;
  /** Whether the queue takes further records for a while. */
  readonly hasRoom: boolean;
}

/** Counts what becomes of records, and has the reporter tell the logger. */
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

  /** @param recovered Records of dead processes that were imported before the service began. */
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

  /** What a caller said is invalid. */
  invalid(what: string, error: unknown): void {
    this.#dropped.invalid += 1;
    this.#reporter.refused(what, explainRefusal(error));
  }

  /** A record came while `queued` others filled the queue. */
  queueFull(queued: number): void {
    this.#dropped.queue_full += 1;
    this.#reporter.overflowed(queued);
  }

  /** A record came after the shutdown. */
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

  /** A write failed, the `failures`th time in a row. */
  failed(error: unknown, failures: number, retryInMs: number, queued: number): void {
    this.#failedFlushes += 1;
    this.#lastError = { message: errorMessage(error), at: Date.now() };
    this.#reporter.failed(error, failures, retryInMs, queued);
  }

  /** Records of dead processes were imported. */
  recovered(records: number): void {
    this.#recovered += records;
  }

  /** Recording took this time on the stack of a caller. */
  took(nanoseconds: number): void {
    this.#meter.recording += nanoseconds;
  }
}

function dropReason(error: unknown): DropReason {
  return analyticsErrorCode(error) === "unknown_session" ? "unknown_session" : "unwritable";
}
