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

/** Characters a message to the worker: more would hold up both threads. */
const MAX_BATCH_LENGTH = 262_144;

/** Full batches that share a transaction at most, when so many wait: to commit costs as much as to insert 50 rows. */
const BATCHES_A_COMMIT = 20;

/** Longest wait for other processes' locks in the hook of a process that ends, in milliseconds. */
const EXIT_WAIT_MS = 250;

/** How long after its start a service begins to take in the journals of dead processes, in milliseconds. */
const RECOVERY_DELAY_MS = 500;

/** Failures that often pass: a lock, a directory that is not mounted yet, permissions that are not set yet. */
const PASSING: ReadonlySet<AnalyticsErrorCode | undefined> = new Set([
  "locked",
  "cannot_open",
  "read_only",
] as const);

/** Longest pause between two tries to write, in milliseconds: after a failure that may pass, and after any other. */
const PASSING_RETRY_MS = 1_000;
const RETRY_MS = 30_000;

/** Time for the worker to close its connection, after everything is written, in milliseconds. */
const CLOSE_MS = 250;

export interface PipelineOptions extends LineWriterOptions {
  readonly tally: Tally;
}

/** A line that is recorded at the very end. */
export interface LastLine {
  readonly line: string;
  /** The call in flight that it ends. */
  readonly callId?: string;
}

/**
 * Lines in, database out: each line is journalled, waits in the queue, and is written in a worker.
 *
 * Whatever way the process ends, a line that was accepted is in the database or in the journal.
 */
export class Pipeline {
  /** Whether lines go to a file: then they survive the end of the process only if `closeNow()` is called at it. */
  readonly isOnFile: boolean;
  readonly #options: PipelineOptions;
  readonly #host: HostConnection | undefined;
  readonly #health: HourlyHealth;
  readonly #writer: LineWriter;
  readonly #journal: Journal | undefined;
  readonly #batcher: Batcher<string>;
  readonly #recoveryTimer: ReturnType<typeof setTimeout> | undefined;
  /** Accepted lines that this process writes no more. */
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
      // Whoever takes batches instead of the database gets them as small as it asked for.
      maxBatchSize: config.batchSize * (writer ? 1 : BATCHES_A_COMMIT),
      flushIntervalMs: config.flushIntervalMs,
      maxRetryMs: (error) => (PASSING.has(analyticsErrorCode(error)) ? PASSING_RETRY_MS : RETRY_MS),
      maxQueueSize: config.maxQueueSize,
      maxQueueBytes: config.maxQueueBytes,
      maxBatchBytes: MAX_BATCH_LENGTH,
      sizeOf: (line) => line.length,
    });
    this.#recoveryTimer = this.isOnFile ? this.#recoverLater() : undefined;
  }

  /** A snapshot of what was accepted, written and dropped. */
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

  /** Accepted lines that are neither written nor on disk, and that this process writes no more. */
  get #lost(): number {
    return this.#journal ? Math.min(this.#givenUp, this.#journal.unwritten) : this.#givenUp;
  }

  /**
   * Accepts a line, safe from SIGKILL when this returns; or counts it as dropped, if the queue is full or closed.
   * @param callId The call in flight that it ends.
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

  /** The end of a call in flight will never be accepted. */
  settle(id: string): void {
    this.#journal?.settle(id);
  }

  flush(): Promise<FlushResult> {
    return keepAlive(this.#batcher.flush());
  }

  /**
   * Writes everything and closes all files, within `timeoutMs`. Lines that remain stay in the journal.
   * @param last The lines that end everything; they are accepted even if the queue is full.
   */
  async close(timeoutMs: number, last: readonly LastLine[]): Promise<FlushResult> {
    clearTimeout(this.#recoveryTimer);
    for (const { line, callId } of last) this.#journal?.append(line, callId);
    const lines = last.map(({ line }) => line);
    const result = await keepAlive(this.#batcher.close(timeoutMs, lines));
    await this.#writer.close(CLOSE_MS);
    // A write that failed because the writer was closed is given up first.
    await new Promise(setImmediate);
    this.#host?.forget();
    this.#journal?.close();
    return result;
  }

  /**
   * Writes everything in this thread, at the end of the process, and removes the journal.
   * @throws Why the lines could not be written: they stay in the journal, or are lost.
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

  /** Recovery takes time that a server has when it has answered its first messages. */
  #recoverLater(): ReturnType<typeof setTimeout> {
    const { destination, recorderId } = this.#options;
    const timer = setTimeout(() => {
      // No thread is started where there are only our own files.
      if (listRecorders(destination.path).some((id) => id !== recorderId)) this.#writer.recover();
    }, RECOVERY_DELAY_MS);
    timer.unref();
    return timer;
  }

  #createJournal(): Journal {
    const { destination, config, recorderId } = this.#options;
    const warn = (error: unknown) =>
      void config.logger.warn(
        `Expected to journal into ${destination.path}.journal, but: ${errorMessage(error)}. Until that works, records wait in memory only: a process that is killed loses them.`,
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

  /** The recorder's row of the hour, if it is due, as of the moment that `count` more records are written. */
  #dueHealth(count: number) {
    // A writer of the host's own gets what the host recorded, and no more.
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

/** A worker and timers that are unref'd do not keep a process alive, but somebody who waits for them should. */
async function keepAlive<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 60_000);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}
