import { Batcher, type FlushResult, type Rejection } from "./batcher.ts";
import { type ResolvedConfig, type TelemetryConfig, resolveConfig } from "./config.ts";
import type { AnalyticsDb } from "./database.ts";
import { analyticsErrorCode, errorMessage } from "./errors.ts";
import {
  type SessionDetails,
  type ToolCallMetadata,
  explainRefusal,
  sessionDetailsSchema,
  sessionIdSchema,
  sessionReasonSchema,
  toSessionEnd,
  toSessionRow,
  toToolCallRow,
  toolCallMetadataSchema,
} from "./metadata.ts";
import { Reporter } from "./reporter.ts";
import { type TelemetryRecord, Writer } from "./writer.ts";

/** Why a record is not in the database and never will be. */
export const DROP_REASONS = [
  /** Its metadata did not pass validation. */
  "invalid",
  /** The queue was full. */
  "queue_full",
  /** The database refused it for what it holds. */
  "unwritable",
  /** It ended a session that nobody started. */
  "unknown_session",
  /** It came after `shutdown()`. */
  "shut_down",
  /** `shutdown()` ran out of time before it was written. */
  "shutdown_timeout",
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** Counts since the service began. Records are tool calls and the starts and ends of sessions. */
export interface TelemetryStats {
  /** Records taken into the queue. Always `written` + `queued` + those dropped later. */
  readonly accepted: number;
  readonly written: number;
  readonly queued: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Batches whose write failed; each was or will be tried again. */
  readonly failedFlushes: number;
  /** Writes that were a further try of a failed batch. */
  readonly retries: number;
  readonly lastError: { readonly message: string; readonly at: number } | null;
}

const NOTHING_TO_FLUSH: FlushResult = { outcome: "written", remaining: 0 };

/**
 * Records tool calls and sessions into the analytics database, in batches, without ever hurting its host.
 *
 * Nothing here throws, rejects, writes to stdout, or keeps the process alive. `recordToolCall`,
 * `startSession` and `endSession` return at once; a batch is written when 50 records wait, after 5 s, on
 * `flush()` and on `shutdown()`. The database stays open: its creator closes it, after `shutdown()`.
 */
export class TelemetryService implements AsyncDisposable {
  readonly #config: ResolvedConfig;
  readonly #recorderId = Bun.randomUUIDv7();
  readonly #reporter: Reporter;
  readonly #batcher: Batcher<TelemetryRecord>;
  readonly #dropped: Record<DropReason, number> = {
    invalid: 0,
    queue_full: 0,
    unwritable: 0,
    unknown_session: 0,
    shut_down: 0,
    shutdown_timeout: 0,
  };
  #written = 0;
  #failedFlushes = 0;
  #lastError: TelemetryStats["lastError"] = null;
  /** Whether any record named a session: else there is none to end. */
  #hasSessions = false;

  constructor(db: AnalyticsDb, config: TelemetryConfig = {}) {
    this.#config = resolveConfig(config);
    this.#reporter = new Reporter(this.#config.logger);
    const writer = config.writer ?? new Writer(db, this.#recorderId);
    this.#batcher = new Batcher({
      write: (batch) => writer.write(batch),
      observer: {
        written: (batch, rejections, durationMs) =>
          this.#onWritten(batch.length, rejections, durationMs),
        failed: (error, failures, retryInMs) => this.#onFailed(error, failures, retryInMs),
        gaveUp: (records) => (this.#dropped.shutdown_timeout += records.length),
      },
      batchSize: this.#config.batchSize,
      flushIntervalMs: this.#config.flushIntervalMs,
      maxQueueSize: this.#config.maxQueueSize,
    });
    if (this.#config.enabled) this.#reporter.started(db.path, db.journalMode);
  }

  /**
   * Opens a session, or adds details to one. On a session that is open the first start stands; one that
   * had ended is open again. Calls may also name a session that was never started.
   */
  startSession(sessionId: string, details: SessionDetails = {}): void {
    if (!this.#config.enabled) return;
    try {
      const id = sessionIdSchema.parse(sessionId);
      const valid = sessionDetailsSchema.parse(details);
      const row = toSessionRow(id, this.#recorderId, valid, Date.now());
      this.#enqueue({ kind: "session_start", row });
      this.#hasSessions = true;
      this.#reporter.session("started", row.id);
    } catch (error) {
      this.#refuse("the start of a session", error);
    }
  }

  /** Records one finished tool call. Returns at once: nothing is written on the caller's stack. */
  recordToolCall(metadata: ToolCallMetadata): void {
    if (!this.#config.enabled) return;
    try {
      const valid = toolCallMetadataSchema.parse(metadata);
      const row = toToolCallRow(valid, Date.now(), this.#config);
      this.#enqueue({ kind: "tool_call", row });
      if (row.sessionId !== null) this.#hasSessions = true;
    } catch (error) {
      this.#refuse("a tool call", error);
    }
  }

  /** Ends a session; its first end stands. An unknown session is logged and counted. */
  endSession(sessionId: string, reason: string | null = null): void {
    if (!this.#config.enabled) return;
    try {
      const id = sessionIdSchema.parse(sessionId);
      const row = toSessionEnd(id, sessionReasonSchema.parse(reason), Date.now());
      this.#enqueue({ kind: "session_end", row });
      this.#reporter.session("ended", row.sessionId);
    } catch (error) {
      this.#refuse("the end of a session", error);
    }
  }

  /**
   * Writes everything accepted before the call. Resolves when it is committed (`written`) or when a
   * write failed (`failed`; it stays in memory and is tried again). Never rejects.
   */
  flush(): Promise<FlushResult> {
    return this.#config.enabled ? this.#batcher.flush() : Promise.resolve(NOTHING_TO_FLUSH);
  }

  /**
   * Writes everything, ends the sessions this service opened, and stops, within `shutdownTimeoutMs`.
   * Says what could not be written in that time. All calls share one promise; it never rejects.
   * Later records are counted as `shut_down`.
   */
  shutdown(): Promise<FlushResult> {
    return (this.#shutdown ??= this.#shutDown());
  }

  #shutdown: Promise<FlushResult> | undefined;

  async #shutDown(): Promise<FlushResult> {
    if (!this.#config.enabled) return NOTHING_TO_FLUSH;
    const row = { recorderId: this.#recorderId, endedAt: Date.now(), reason: "shutdown" };
    const last = this.#hasSessions ? ({ kind: "recorder_end", row } as const) : undefined;
    const result = await this.#batcher.close(this.#config.shutdownTimeoutMs, last);
    this.#reporter.ended(result.remaining);
    return result;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown().then(() => undefined);
  }

  /** Whether anything is recorded: neither `enabled: false` nor `TOOLMETER_DISABLED` says otherwise. */
  get isEnabled(): boolean {
    return this.#config.enabled;
  }

  /** A snapshot of what was accepted, written and dropped. */
  get stats(): TelemetryStats {
    return {
      accepted: this.#batcher.accepted,
      written: this.#written,
      queued: this.#batcher.queued,
      dropped: { ...this.#dropped },
      failedFlushes: this.#failedFlushes,
      retries: this.#batcher.retries,
      lastError: this.#lastError && { ...this.#lastError },
    };
  }

  #enqueue(record: TelemetryRecord): void {
    if (this.#batcher.add(record)) return;
    if (this.#batcher.isClosed) {
      this.#dropped.shut_down += 1;
      this.#reporter.afterShutdown();
    } else {
      this.#dropped.queue_full += 1;
      this.#reporter.overflowed(this.#config.maxQueueSize);
    }
  }

  #refuse(what: string, error: unknown): void {
    this.#dropped.invalid += 1;
    this.#reporter.refused(what, explainRefusal(error));
  }

  #onWritten(
    count: number,
    rejections: readonly Rejection<TelemetryRecord>[],
    durationMs: number,
  ): void {
    this.#written += count - rejections.length;
    for (const rejection of rejections) {
      this.#dropped[dropReason(rejection.error)] += 1;
      this.#reporter.rejected(rejection);
    }
    const hasRoom = this.#batcher.queued <= this.#config.maxQueueSize / 2;
    this.#reporter.written(count - rejections.length, durationMs, hasRoom);
  }

  #onFailed(error: unknown, failures: number, retryInMs: number): void {
    this.#failedFlushes += 1;
    this.#lastError = { message: errorMessage(error), at: Date.now() };
    this.#reporter.failed(error, failures, retryInMs, this.#batcher.queued);
  }
}

function dropReason(error: unknown): DropReason {
  return analyticsErrorCode(error) === "unknown_session" ? "unknown_session" : "unwritable";
}
