import { Batcher, type FlushResult } from "../writing/batcher.ts";
import type { Rejection } from "../writing/batcher.ts";
import { MEMORY } from "../file/connection.ts";
import { type AnalyticsErrorCode, analyticsErrorCode, errorMessage } from "../errors.ts";
import { HostConnection } from "./host-connection.ts";
import { HourlyHealth } from "./hourly-health.ts";
import { Journal } from "../journal/journal.ts";
import { type LineWriterOptions, createLineWriter, writeNow } from "./line-writers.ts";
import type { LineWriter } from "../writing/line-writer.ts";
import { encode } from "../records/record.ts";
import { listRecorders } from "../journal/segments.ts";
import type { TelemetryStats } from "./stats.ts";
import type { Tally } from "./tally.ts";

/** Maximum number of characters per message to the worker; more would block both threads for too long. */
const MAX_BATCH_LENGTH = 262_144;

/** Maximum number of full batches per transaction, if that many wait: a commit costs as much as inserting 50 rows. */
const BATCHES_PER_COMMIT = 20;

/** Longest wait for other processes' locks in the exit hook, in milliseconds. */
const EXIT_WAIT_MS = 250;

/** Delay after the start of a service until it imports the journals of dead processes, in milliseconds. */
const RECOVERY_DELAY_MS = 500;

/** Failures that are often temporary: a lock, a directory that is not mounted yet, permissions that are not set yet. */
const TEMPORARY: ReadonlySet<AnalyticsErrorCode | undefined> = new Set([
  "locked",
  "cannot_open",
  "read_only",
] as const);

/** Longest pause between two write attempts, in milliseconds: after a temporary failure, and after any other. */
const TEMPORARY_RETRY_MS = 1_000;
const RETRY_MS = 30_000;

/** Longest time for the worker to close its connection after the last write, in milliseconds. */
const CLOSE_MS = 250;

export interface PipelineOptions extends LineWriterOptions {
  readonly tally: Tally;
}

/** A line that is recorded at shutdown. */
export interface LastLine {
  readonly line: string;
  /** The call in flight that it ends. */
  readonly callId?: string;
}

/**
 * Brings lines into the database: each line is journalled, waits in the queue, and is written by a worker.
 *
 * However the process ends, an accepted line is in the database or in the journal.
 */
export class Pipeline {
  /** Whether lines are written to a file. If so, call `closeNow()` when the process ends. */
  readonly isOnFile: boolean;
  readonly #options: PipelineOptions;
  readonly #host: HostConnection | undefined;
  readonly #health: HourlyHealth;
  readonly #writer: LineWriter;
  readonly #journal: Journal | undefined;
  readonly #batcher: Batcher<string>;
  readonly #recoveryTimer: ReturnType<typeof setTimeout> | undefined;
  /** Number of accepted lines that this process will no longer write. */
  #givenUp = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const { destination, config, writer, recorderId, tally } = options;
    this.isOnFile = writer === undefined && destination.path !== MEMORY && config.enabled;
    this.#health = new HourlyHealth(recorderId);
    this.#writer = createLineWriter(options, (records) => tally.recovered(records));
    this.#journal = this.isOnFile && config.journal ? this.#createJournal() : undefined;
    this.#host = this.isOnFile ? new HostConnection(destination, recorderId) : undefined;
    this.#batcher = new Batcher({
      write: (lines) => this.#write(lines),
      observer: {
        written: (lines, rejections, durationMs) => this.#onWritten(lines, rejections, durationMs),
        failed: (error, failures, retryInMs) =>
          tally.failed(error, failures, retryInMs, this.#batcher.queued),
        gaveUp: (lines) => {
          this.#givenUp += lines.length;
        },
      },
      batchSize: config.batchSize,
      // A custom writer gets at most `batchSize` records per batch.
      maxBatchSize: config.batchSize * (writer ? 1 : BATCHES_PER_COMMIT),
      flushIntervalMs: config.flushIntervalMs,
      maxRetryMs: (error) =>
        TEMPORARY.has(analyticsErrorCode(error)) ? TEMPORARY_RETRY_MS : RETRY_MS,
      maxQueueSize: config.maxQueueSize,
      maxQueueBytes: config.maxQueueBytes,
      maxBatchBytes: MAX_BATCH_LENGTH,
      sizeOf: (line) => line.length,
    });
    this.#recoveryTimer = this.isOnFile ? this.#recoverLater() : undefined;
  }

  /** A snapshot of the counters. */
  get stats(): Omit<TelemetryStats, "inFlight"> {
    const { accepted, queued, retries, peak } = this.#batcher;
    const { dropped, ...counts } = this.#options.tally.counts;
    return {
      accepted,
      queued,
      retries,
      queuePeak: peak,
      ...counts,
      dropped: { ...dropped, shutdown_timeout: this.#lost },
      leftInJournal: this.#givenUp - this.#lost,
      journalBytes: this.#journal?.written ?? 0,
      unjournaled: this.#journal?.failures ?? 0,
    };
  }

  /** Number of given-up lines that are not on disk either. */
  get #lost(): number {
    return this.#journal ? Math.min(this.#givenUp, this.#journal.unwritten) : this.#givenUp;
  }

  /**
   * Accepts a line, which is safe from SIGKILL when this returns. Counts it as dropped if the queue is full or closed.
   * @param callId The call in flight that the line ends.
   */
  accept(line: string, callId?: string): void {
    if (this.#batcher.add(line)) {
      this.#journal?.append(line, callId);
      return;
    }
    if (callId !== undefined) this.settle(callId);
    const { tally } = this.#options;
    if (this.#batcher.isClosed) tally.late();
    else tally.queueFull(this.#batcher.queued);
  }

  /** Journals the line of a call in flight, until it ends. */
  follow(id: string, line: string): void {
    if (!this.#batcher.isClosed) this.#journal?.follow(id, line);
  }

  /** Stops journalling a call in flight whose end will never be accepted. */
  settle(id: string): void {
    this.#journal?.settle(id);
  }

  flush(): Promise<FlushResult> {
    return keepAlive(this.#batcher.flush());
  }

  /**
   * Writes everything within `timeoutMs` and closes all files. Remaining lines stay in the journal.
   * @param last The final lines; they are accepted even if the queue is full.
   */
  async close(timeoutMs: number, last: readonly LastLine[]): Promise<FlushResult> {
    clearTimeout(this.#recoveryTimer);
    for (const { line, callId } of last) this.#journal?.append(line, callId);
    const lines = last.map(({ line }) => line);
    const result = await keepAlive(this.#batcher.close(timeoutMs, lines));
    await this.#writer.close(CLOSE_MS);
    // Let a write that failed because the writer was closed give up its lines first.
    await new Promise(setImmediate);
    this.#host?.forget();
    this.#journal?.close();
    return result;
  }

  /**
   * Writes everything synchronously when the process ends, and removes the journal.
   * @throws The error of a failed write. The lines then stay in the journal; without one, they are lost.
   */
  closeNow(last: readonly LastLine[]): void {
    const lines = this.#batcher.takeAll(last.map(({ line }) => line));
    const startedAt = performance.now();
    try {
      const rejections = lines.length > 0 ? this.#writeNow(lines) : [];
      this.#host?.forget();
      this.#journal?.remove();
      this.#count(lines, rejections, performance.now() - startedAt);
    } catch (error) {
      for (const { line, callId } of last) this.#journal?.append(line, callId);
      this.#journal?.close();
      this.#givenUp += lines.length;
      throw error;
    }
  }

  /** Starts recovery with a delay, so that it does not slow down a server's first answers. */
  #recoverLater(): ReturnType<typeof setTimeout> {
    const { destination, recorderId } = this.#options;
    const timer = setTimeout(() => {
      // Start no thread if there is no other recorder's journal.
      if (listRecorders(destination.path).some((id) => id !== recorderId)) this.#writer.recover();
    }, RECOVERY_DELAY_MS);
    timer.unref();
    return timer;
  }

  #createJournal(): Journal {
    const { destination, config, recorderId } = this.#options;
    const warn = (error: unknown) =>
      void config.logger.warn(
        `Expected to write the journal ${destination.path}.journal, but it failed (${errorMessage(error)}). Until that works, records wait only in memory, and a killed process loses them.`,
      );
    return new Journal(destination.path, recorderId, warn, config.maxQueueBytes);
  }

  async #write(lines: readonly string[]): Promise<readonly Rejection[]> {
    const health = this.#dueHealth(lines.length);
    if (!health) return this.#writer.write(lines);
    const rejections = await this.#writer.write([...lines, health.line]);
    health.written();
    return rejections.filter(({ index }) => index < lines.length);
  }

  #writeNow(lines: readonly string[]): readonly Rejection[] {
    this.#host?.rollBack();
    const health = this.#dueHealth(lines.length);
    return writeNow(this.#options, health ? [...lines, health.line] : lines, EXIT_WAIT_MS);
  }

  /** The recorder's hourly row, if it is due, counting the `count` records that are about to be written. */
  #dueHealth(count: number) {
    // A custom writer gets only the host's records.
    if (this.#options.writer) return undefined;
    const monotonicMs = performance.now();
    if (!this.#batcher.isClosed && !this.#health.isDue(monotonicMs)) return undefined;
    const now = Date.now();
    const { written, ...stats } = this.stats;
    const then = { ...stats, written: written + count };
    return {
      line: encode({ kind: "recorder_health", row: this.#health.row(then, now) }),
      written: () => this.#health.wrote(then, now, monotonicMs),
    };
  }

  #onWritten(lines: readonly string[], rejections: readonly Rejection[], durationMs: number): void {
    this.#journal?.release(lines.length);
    this.#count(lines, rejections, durationMs);
  }

  #count(
    { length: count }: readonly string[],
    rejections: readonly Rejection[],
    durationMs: number,
  ): void {
    const { config, tally } = this.#options;
    const hasRoom = this.#batcher.queued <= config.maxQueueSize / 2;
    tally.written({ count, rejections, durationMs, cost: this.#writer.cost, hasRoom });
  }
}

/** Keeps the process alive while a caller awaits `promise`: the worker and the unref'd timers do not. */
async function keepAlive<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 60_000);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}
