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
  readonly #reporter: Reporter;
  readonly #tally: Tally;
  readonly #pipeline: Pipeline;
  readonly #calls: CallsInFlight;
  readonly #forgetExit: () => void;
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
   * Opens a session, or adds details to one. On a session that is open the first start stands; one that
   * had ended is open again. Calls may also name a session that was never started.
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

  /** Records one finished tool call. Returns at once: no database is waited for on the caller's stack. */
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
    this.#record("the end of a session", () => {
      const id = sessionIdSchema.parse(sessionId);
      const row = toSessionEnd(id, sessionReasonSchema.parse(reason), Date.now());
      this.#reporter.session("ended", row.sessionId);
      return encode({ kind: "session_end", row });
    });
  }

  /**
   * Records that a tool's definition was seen. The first time it is stored, later times move its
   * `last_seen_at_ms`; `startSession` links it with a session by its hash.
   */
  recordToolDefinition(definition: ToolDefinition): void {
    this.#record("a tool's definition", () => {
      const row = toSeenDefinition(toolDefinitionSchema.parse(definition), Date.now());
      return encode({ kind: "tool_definition", row });
    });
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
    const result = await this.#pipeline.close(this.#config.shutdownTimeoutMs, this.#lastLines());
    // Last: a process may end while it waits for this.
    this.#forgetExit();
    const { dropped, leftInJournal } = this.#pipeline.stats;
    this.#reporter.ended(dropped.shutdown_timeout, leftInJournal);
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

  /**
   * A snapshot of what was accepted, written and dropped, and of what it cost. To read it changes nothing: a call whose
   * details are said later is counted when they are, after 5 ms or at `flush()`.
   */
  get stats(): TelemetryStats {
    return { ...this.#pipeline.stats, inFlight: this.#calls.size };
  }

  /** Accepts a line; what cannot be encoded is counted as invalid. */
  #record(what: string, encoded: () => string): void {
    if (!this.#config.enabled) return;
    try {
      this.#pipeline.accept(encoded());
    } catch (error) {
      this.#tally.invalid(what, error);
    }
  }

  /** The calls in flight, as abandoned; and the end of the open sessions. */
  #lastLines(): readonly LastLine[] {
    const lines = [...this.#calls.abandon()];
    if (this.#hasSessions || this.#calls.hasSessions) {
      const row = { recorderId: this.#recorderId, endedAt: Date.now(), reason: "shutdown" };
      lines.push({ line: encode({ kind: "recorder_end", row }) });
    }
    return lines;
  }

  /** The process ends now: what waits is written in this thread, or stays in the journal, or is lost. */
  #onExit(): void {
    try {
      this.#pipeline.closeNow(this.#lastLines());
    } catch (error) {
      const { dropped, leftInJournal } = this.#pipeline.stats;
      this.#reporter.endedSuddenly(dropped.shutdown_timeout, leftInJournal, error);
    }
  }
}
