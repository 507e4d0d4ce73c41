import { type ResolvedConfig, type TelemetryConfig, resolveConfig } from "./recording/config.ts";
import type { AnalyticsDb } from "./database/database.ts";
import { destinationOf } from "./recording/destination.ts";
import { atExit } from "./recording/exit.ts";
import { CallsInFlight, type ToolCallHandle, type ToolCallStart } from "./recording/in-flight.ts";
import {
  type SessionDetails,
  type ToolCallMetadata,
  type ToolDefinition,
  sessionDetailsSchema,
  sessionIdSchema,
  sessionReasonSchema,
  toolCallMetadataSchema,
  toolDefinitionSchema,
} from "./records/metadata.ts";
import { toSeenDefinition, toSessionEnd, toSessionStart } from "./records/session.ts";
import { toCallDetails } from "./records/details.ts";
import { type LastLine, Pipeline } from "./recording/pipeline.ts";
import { encode, encodeCall } from "./records/record.ts";
import { Reporter } from "./recording/reporter.ts";
import type { TelemetryStats } from "./recording/stats.ts";
import { Tally } from "./recording/tally.ts";
import type { FlushResult } from "./writing/batcher.ts";

const NOTHING_TO_FLUSH: FlushResult = { outcome: "written", remaining: 0 };

/**
 * Records tool calls and sessions into the analytics database, in batches, without disturbing its host.
 *
 * Methods never throw, reject, write to stdout, or keep the process alive. `recordToolCall`, `startSession` and
 * `endSession` return at once, with the record in a journal where it is safe from SIGKILL. A worker writes batches when
 * 50 records wait, after 5 s, on `flush()`, on `shutdown()` and when the process ends. A database that was passed in
 * stays open: close it after `shutdown()`.
 */
export class TelemetryService implements AsyncDisposable {
  readonly #config: ResolvedConfig;
  readonly #recorderId = Bun.randomUUIDv7();
  readonly #path: string;
  readonly #reporter: Reporter;
  readonly #tally: Tally;
  readonly #pipeline: Pipeline;
  readonly #calls: CallsInFlight;
  readonly #forgetExit: () => void;
  /** Whether any record named a session, so that sessions must be ended at shutdown. */
  #hasSessions = false;

  /**
   * @param database An open database, or the path of a file. Default: `TOOLMETER_DB`, otherwise `analytics.db` in the
   * user's data directory. The constructor does not open the file: the writer thread opens, creates and migrates it,
   * and imports the journals of killed processes. While that fails (a lock, a directory that is not mounted yet,
   * missing permissions), accepted records wait in the journal, or in memory if no journal can be created.
   * @throws AnalyticsError if the path names a directory, another program's file, or a file of a newer Toolmeter.
   */
  constructor(database?: AnalyticsDb | string, config: TelemetryConfig = {}) {
    this.#config = resolveConfig(config);
    const destination = destinationOf(database, this.#config.enabled);
    this.#path = destination.path;
    this.#reporter = new Reporter(this.#config.logger);
    this.#tally = new Tally(this.#reporter, destination.recovery?.records);
    this.#pipeline = new Pipeline({
      destination,
      recorderId: this.#recorderId,
      config: this.#config,
      writer: config.writer,
      tally: this.#tally,
    });
    this.#calls = new CallsInFlight(this.#config, this.#pipeline, this.#tally);
    this.#forgetExit = this.#pipeline.isOnFile ? atExit(() => this.#onExit()) : () => undefined;
    if (this.#config.enabled) this.#reporter.started(destination.path, destination.journalMode);
  }

  /**
   * Opens a session, adds missing details to an open one, or reopens an ended one. The details of the first start win.
   * Calls may also name a session that was never started.
   */
  startSession(sessionId: string, details: SessionDetails = {}): void {
    this.#record("the start of a session", () => {
      const id = sessionIdSchema.parse(sessionId);
      const valid = sessionDetailsSchema.parse(details);
      const row = toSessionStart(id, this.#recorderId, valid, Date.now());
      this.#hasSessions = true;
      this.#reporter.session("started", row.id);
      return encode({ kind: "session_start", row });
    });
  }

  /** Records one finished tool call. Returns at once, without waiting for the database. */
  recordToolCall(metadata: ToolCallMetadata): void {
    if (!this.#config.enabled) return;
    const startedAt = Bun.nanoseconds();
    this.#record("a tool call", () => {
      const now = Date.now();
      const valid = toolCallMetadataSchema.parse(metadata);
      if (valid.sessionId) this.#hasSessions = true;
      return encodeCall(Bun.randomUUIDv7("hex", now), now, toCallDetails(valid, this.#config));
    });
    this.#tally.took(Bun.nanoseconds() - startedAt);
  }

  /**
   * Marks the start of a tool call; the handle's `end()` records it. A call that never ends, because the process died
   * or the service was shut down, is recorded as `abandoned`, with its start.
   * @param metadata The metadata, which is safe from SIGKILL when this method returns; or a function that returns it,
   * which is called 5 ms later, and makes the call safe only then.
   */
  startToolCall(metadata: ToolCallStart | (() => ToolCallStart)): ToolCallHandle {
    return this.#calls.start(metadata);
  }

  /** Ends a session. Only the first end counts. An unknown session is logged and counted. */
  endSession(sessionId: string, reason: string | null = null): void {
    this.#record("the end of a session", () => {
      const id = sessionIdSchema.parse(sessionId);
      const row = toSessionEnd(id, sessionReasonSchema.parse(reason), Date.now());
      this.#reporter.session("ended", row.sessionId);
      return encode({ kind: "session_end", row });
    });
  }

  /**
   * Records that a tool definition was seen. The first call stores it; later calls update its `last_seen_at_ms`.
   * `startSession` links it with a session by its hash.
   */
  recordToolDefinition(definition: ToolDefinition): void {
    this.#record("a tool's definition", () => {
      const row = toSeenDefinition(toolDefinitionSchema.parse(definition), Date.now());
      return encode({ kind: "tool_definition", row });
    });
  }

  /**
   * Writes everything accepted before the call. Resolves when it is committed (`written`) or when a write failed
   * (`failed`; the records stay in memory and are retried). Never rejects.
   */
  flush(): Promise<FlushResult> {
    if (!this.#config.enabled) return Promise.resolve(NOTHING_TO_FLUSH);
    this.#calls.catchUp();
    return this.#pipeline.flush();
  }

  /**
   * Writes everything, ends the sessions that this service opened, and stops, within `shutdownTimeoutMs`. The result
   * contains the number of records that could not be written in time; they stay in the journal for the next process
   * that opens the database. All calls share one promise, which never rejects. Later records are counted as
   * `shut_down`.
   */
  shutdown(): Promise<FlushResult> {
    return (this.#shutdown ??= this.#shutDown());
  }

  #shutdown: Promise<FlushResult> | undefined;

  async #shutDown(): Promise<FlushResult> {
    if (!this.#config.enabled) return NOTHING_TO_FLUSH;
    const result = await this.#pipeline.close(this.#config.shutdownTimeoutMs, this.#lastLines());
    // Removed last, because the process may end while it waits for the shutdown.
    this.#forgetExit();
    const { dropped, leftInJournal } = this.#pipeline.stats;
    this.#reporter.ended(dropped.shutdown_timeout, leftInJournal);
    return result;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown().then(() => undefined);
  }

  /** The absolute path of the database file, or `":memory:"`. */
  get path(): string {
    return this.#path;
  }

  /** Whether recording is enabled: false after `enabled: false` or `TOOLMETER_DISABLED`. */
  get isEnabled(): boolean {
    return this.#config.enabled;
  }

  /**
   * A snapshot of the counters and costs. Reading it changes nothing: a call with deferred metadata is counted when
   * that is collected, after 5 ms or at `flush()`.
   */
  get stats(): TelemetryStats {
    return { ...this.#pipeline.stats, inFlight: this.#calls.size };
  }

  /** Accepts an encoded record, or counts it as invalid if it cannot be encoded. */
  #record(what: string, encoded: () => string): void {
    if (!this.#config.enabled) return;
    try {
      this.#pipeline.accept(encoded());
    } catch (error) {
      this.#tally.invalid(what, error);
    }
  }

  /** Returns the calls in flight as abandoned, and the end of all open sessions. */
  #lastLines(): readonly LastLine[] {
    const lines = [...this.#calls.abandon()];
    if (this.#hasSessions || this.#calls.hasSessions) {
      const row = { recorderId: this.#recorderId, endedAt: Date.now(), reason: "shutdown" };
      lines.push({ line: encode({ kind: "recorder_end", row }) });
    }
    return lines;
  }

  /**
   * Writes the waiting records synchronously while the process ends. On failure they stay in the journal, or are lost.
   */
  #onExit(): void {
    try {
      this.#pipeline.closeNow(this.#lastLines());
    } catch (error) {
      const { dropped, leftInJournal } = this.#pipeline.stats;
      this.#reporter.endedSuddenly(dropped.shutdown_timeout, leftInJournal, error);
    }
  }
}
