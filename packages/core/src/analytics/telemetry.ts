import type { FlushResult, Rejection } from "./writing/batcher.ts";
import { type ResolvedConfig, type TelemetryConfig, resolveConfig } from "./recording/config.ts";
import type { AnalyticsDb } from "./database/database.ts";
import { destinationOf } from "./recording/destination.ts";
import { analyticsErrorCode, errorMessage } from "./errors.ts";
import { Health } from "./recording/health.ts";
import {
  CallsInFlight,
  type LastLine,
  type ToolCallHandle,
  type ToolCallStart,
} from "./recording/in-flight.ts";
import {
  type SessionDetails,
  type ToolCallMetadata,
  type ToolDefinition,
  explainRefusal,
  sessionDetailsSchema,
  sessionIdSchema,
  sessionReasonSchema,
  toolCallMetadataSchema,
  toolDefinitionSchema,
} from "./records/metadata.ts";
import { toSeenDefinition, toSessionEnd, toSessionStart } from "./records/session.ts";
import { toCallDetails } from "./records/details.ts";
import { Meter } from "./recording/meter.ts";
import { Pipeline } from "./recording/pipeline.ts";
import { encode, encodeCall } from "./records/record.ts";
import { Reporter } from "./recording/reporter.ts";
import type { TelemetryStats } from "./recording/stats.ts";
import type { DropReason } from "./vocabulary.ts";

const NOTHING_TO_FLUSH: FlushResult = { outcome: "written", remaining: 0 };

/**
 * Records tool calls and sessions into the analytics database, in batches, without ever hurting its host.
 *
 * Nothing here throws, rejects, writes to stdout, or keeps the process alive. `recordToolCall`,
 * `startSession` and `endSession` return at once, the record safe from SIGKILL in a journal; a batch is
 * written, by a worker, when 50 records wait, after 5 s, on `flush()`, on `shutdown()` and when the process
 * ends. A database that was handed over stays open: its creator closes it, after `shutdown()`.
 */
export class TelemetryService implements AsyncDisposable {
  readonly #config: ResolvedConfig;
  readonly #recorderId = Bun.randomUUIDv7();
  readonly #path: string;
  #recovered: number;
  readonly #reporter: Reporter;
  readonly #pipeline: Pipeline;
  readonly #meter = new Meter();
  readonly #health = new Health(this.#recorderId);
  readonly #calls: CallsInFlight;
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

  /**
   * @param database An open database, or the path of a file. Default: `TOOLMETER_DB`, else `analytics.db` in the
   * user's data directory. The constructor does not open the file: the writing thread opens, creates and migrates it,
   * and imports what killed processes left. While that fails (a lock, a directory that is not mounted yet, missing
   * permissions), records are accepted and wait: in the journal, or in memory where no journal can be made.
   * @throws AnalyticsError if a path names a directory, another program's file, or one that a newer Toolmeter wrote.
   */
  constructor(database?: AnalyticsDb | string, config: TelemetryConfig = {}) {
    this.#config = resolveConfig(config);
    const db = destinationOf(database, this.#config.enabled);
    this.#path = db.path;
    this.#recovered = db.recovery?.records ?? 0;
    this.#reporter = new Reporter(this.#config.logger);
    this.#pipeline = new Pipeline({
      db,
      recorderId: this.#recorderId,
      config: this.#config,
      writer: config.writer,
      observer: {
        written: (batch, rejections, durationMs) =>
          this.#onWritten(batch.length, rejections, durationMs),
        failed: (error, failures, retryInMs) => this.#onFailed(error, failures, retryInMs),
      },
      recovered: (records) => {
        this.#recovered += records;
      },
      footnote: (count) => this.#healthLine(count),
      lastLines: () => this.#lastLines(),
    });
    this.#calls = new CallsInFlight(this.#config, {
      follow: (id, line) => this.#pipeline.open(id, line),
      accept: (id, line) => {
        if (line === undefined) this.#pipeline.drop(id);
        else this.#accept(line, id);
      },
      refuse: (what, error) => this.#refuse(what, error),
      sawSession: () => {
        this.#hasSessions = true;
      },
      took: (nanoseconds) => {
        this.#meter.recording += nanoseconds;
      },
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
      const row = toSessionStart(id, this.#recorderId, valid, Date.now());
      this.#accept(encode({ kind: "session_start", row }));
      this.#hasSessions = true;
      this.#reporter.session("started", row.id);
    } catch (error) {
      this.#refuse("the start of a session", error);
    }
  }

  /** Records one finished tool call. Returns at once: no database is waited for on the caller's stack. */
  recordToolCall(metadata: ToolCallMetadata): void {
    if (!this.#config.enabled) return;
    const startedAt = Bun.nanoseconds();
    try {
      const now = Date.now();
      this.#accept(this.#encodeCall(Bun.randomUUIDv7("hex", now), now, metadata));
    } catch (error) {
      this.#refuse("a tool call", error);
    }
    this.#meter.recording += Bun.nanoseconds() - startedAt;
  }

  /**
   * Marks the start of a tool call; the handle's `end()` records it. A call that never ends, because the
   * process died or the service was shut down, is recorded as `abandoned`, with its start.
   * @param metadata What names the call; it is safe from SIGKILL when this returns. Or a function that says it:
   * it is asked 5 ms later, and the call is safe from then on.
   */
  startToolCall(metadata: ToolCallStart | (() => ToolCallStart)): ToolCallHandle {
    return this.#calls.start(metadata);
  }

  /** Ends a session; its first end stands. An unknown session is logged and counted. */
  endSession(sessionId: string, reason: string | null = null): void {
    if (!this.#config.enabled) return;
    try {
      const id = sessionIdSchema.parse(sessionId);
      const row = toSessionEnd(id, sessionReasonSchema.parse(reason), Date.now());
      this.#accept(encode({ kind: "session_end", row }));
      this.#reporter.session("ended", row.sessionId);
    } catch (error) {
      this.#refuse("the end of a session", error);
    }
  }

  /**
   * Records that a tool's definition was seen. The first time it is stored, later times move its
   * `last_seen_at_ms`; `startSession` links it with a session by its hash.
   */
  recordToolDefinition(definition: ToolDefinition): void {
    if (!this.#config.enabled) return;
    try {
      const row = toSeenDefinition(toolDefinitionSchema.parse(definition), Date.now());
      this.#accept(encode({ kind: "tool_definition", row }));
    } catch (error) {
      this.#refuse("a tool's definition", error);
    }
  }

  /**
   * Writes everything accepted before the call. Resolves when it is committed (`written`) or when a
   * write failed (`failed`; it stays in memory and is tried again). Never rejects.
   */
  flush(): Promise<FlushResult> {
    if (!this.#config.enabled) return Promise.resolve(NOTHING_TO_FLUSH);
    this.#calls.catchUp();
    return this.#pipeline.flush();
  }

  /**
   * Writes everything, ends the sessions this service opened, and stops, within `shutdownTimeoutMs`.
   * Says what could not be written in that time; it stays in the journal, for whoever opens the database
   * next. All calls share one promise; it never rejects. Later records are counted as `shut_down`.
   */
  shutdown(): Promise<FlushResult> {
    return (this.#shutdown ??= this.#shutDown());
  }

  #shutdown: Promise<FlushResult> | undefined;

  async #shutDown(): Promise<FlushResult> {
    if (!this.#config.enabled) return NOTHING_TO_FLUSH;
    const result = await this.#pipeline.close(this.#config.shutdownTimeoutMs);
    this.#reporter.ended(this.#pipeline.lost, this.#pipeline.leftInJournal);
    return result;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown().then(() => undefined);
  }

  /** The absolute path of the file that records go to, or `":memory:"`. */
  get path(): string {
    return this.#path;
  }

  /** Whether anything is recorded: neither `enabled: false` nor `TOOLMETER_DISABLED` says otherwise. */
  get isEnabled(): boolean {
    return this.#config.enabled;
  }

  /** A snapshot of what was accepted, written and dropped, and of what it cost. */
  get stats(): TelemetryStats {
    this.#calls.catchUp();
    const { queue, journal, lost, leftInJournal } = this.#pipeline;
    return {
      accepted: queue.accepted,
      written: this.#written,
      queued: queue.queued,
      dropped: { ...this.#dropped, shutdown_timeout: lost },
      leftInJournal,
      recovered: this.#recovered,
      failedFlushes: this.#failedFlushes,
      retries: queue.retries,
      lastError: this.#lastError && { ...this.#lastError },
      inFlight: this.#calls.size,
      ...this.#meter.readings,
      queuePeak: queue.peak,
      journalBytes: journal?.written ?? 0,
      unjournaled: journal?.failures ?? 0,
    };
  }

  #encodeCall(id: string, now: number, metadata: ToolCallMetadata): string {
    const valid = toolCallMetadataSchema.parse(metadata);
    if (valid.sessionId) this.#hasSessions = true;
    return encodeCall(id, now, toCallDetails(valid, this.#config));
  }

  #accept(line: string, callId?: string): void {
    if (this.#pipeline.accept(line, callId)) return;
    if (this.#pipeline.queue.isClosed) {
      this.#dropped.shut_down += 1;
      this.#reporter.afterShutdown();
    } else {
      this.#dropped.queue_full += 1;
      this.#reporter.overflowed(this.#pipeline.queue.queued);
    }
  }

  #refuse(what: string, error: unknown): void {
    this.#dropped.invalid += 1;
    this.#reporter.refused(what, explainRefusal(error));
  }

  /** The calls in flight, as abandoned; and the end of the open sessions. */
  #lastLines(): readonly LastLine[] {
    const lines = [...this.#calls.abandon()];
    if (this.#hasSessions) {
      const row = { recorderId: this.#recorderId, endedAt: Date.now(), reason: "shutdown" };
      lines.push({ line: encode({ kind: "recorder_end", row }) });
    }
    return lines;
  }

  /** How the recorder fares, if it is time to say so, as of the moment that `count` more records are written. */
  #healthLine(count: number): string | undefined {
    const now = performance.now();
    if (!this.#pipeline.queue.isClosed && !this.#health.isDue(now)) return undefined;
    const stats = { ...this.stats, written: this.#written + count };
    return encode({ kind: "recorder_health", row: this.#health.row(stats, Date.now(), now) });
  }

  #onWritten(count: number, rejections: readonly Rejection<string>[], durationMs: number): void {
    this.#written += count - rejections.length;
    this.#meter.wrote(durationMs, this.#pipeline.cost);
    for (const { error } of rejections) {
      this.#dropped[dropReason(error)] += 1;
      this.#reporter.rejected(error);
    }
    const hasRoom = this.#pipeline.queue.queued <= this.#config.maxQueueSize / 2;
    this.#reporter.written(count - rejections.length, durationMs, hasRoom);
  }

  #onFailed(error: unknown, failures: number, retryInMs: number): void {
    this.#failedFlushes += 1;
    this.#lastError = { message: errorMessage(error), at: Date.now() };
    this.#reporter.failed(error, failures, retryInMs, this.#pipeline.queue.queued);
  }
}

function dropReason(error: unknown): DropReason {
  return analyticsErrorCode(error) === "unknown_session" ? "unknown_session" : "unwritable";
}
