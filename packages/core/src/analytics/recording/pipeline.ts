import { mkdirSync } from "node:fs";
import { BackgroundRecovery } from "../writing/background-recovery.ts";
import {
  Batcher,
  type BatcherObserver,
  type FlushResult,
  type Rejection,
} from "../writing/batcher.ts";
import { canonicalPath } from "../file/canonical-path.ts";
import type { ResolvedConfig } from "./config.ts";
import { MEMORY } from "../file/connection.ts";
import type { Destination } from "./destination.ts";
import { type AnalyticsErrorCode, analyticsErrorCode, errorMessage } from "../errors.ts";
import { atExit } from "./exit.ts";
import { type CommitCost, FileWriter } from "../writing/file-writer.ts";
import type { LastLine } from "./in-flight.ts";
import { Journal } from "../journal/journal.ts";
import { journalDirectory } from "../file/journal-directory.ts";
import { InlineWriter, type LineWriter, decodeAll, toLines } from "../writing/line-writer.ts";
import { forgetLogOwner, noteLogOwner } from "../file/log-owner.ts";
import { listRecorders } from "../journal/segments.ts";
import { WORKER_PROGRAM, WorkerWriter } from "../writing/worker-writer.ts";
import { type RecordWriter, Writer } from "../writing/statements.ts";

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

export interface PipelineOptions {
  readonly db: Destination;
  readonly recorderId: string;
  readonly config: ResolvedConfig;
  /** Where batches go instead of the database. */
  readonly writer?: RecordWriter | undefined;
  readonly observer: Omit<BatcherObserver<string>, "gaveUp">;
  /** Told how many records of dead processes were taken in, after each batch of them. */
  readonly recovered: (records: number) => void;
  /** A line that goes with `count` lines that are about to be written into the database, if there is one to go. */
  readonly footnote: (count: number) => string | undefined;
  /** The lines that end everything: asked for once, by `close()` or by the end of the process. */
  readonly lastLines: () => readonly LastLine[];
}

/**
 * Lines in, database out: each line is journalled, waits in the queue, and is written in a worker.
 *
 * Whatever way the process ends, a line that was accepted is in the database or in the journal.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #writer: LineWriter;
  readonly #journal: Journal | undefined;
  readonly #batcher: Batcher<string>;
  readonly #forgetExit: () => void;
  readonly #recoveryTimer: ReturnType<typeof setTimeout> | undefined;
  /** Accepted lines that this process writes no more. */
  #givenUp = 0;
  /** Where the file was when its log was noted: a symbolic link may name another file since. */
  #notedFile: string | undefined;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const { db, config, writer, observer } = options;
    const hasFile = writer === undefined && db.path !== MEMORY && config.enabled;
    this.#writer = this.#createWriter(hasFile);
    this.#journal = hasFile && config.journal ? this.#createJournal() : undefined;
    if (hasFile) this.#noteLog();
    this.#batcher = new Batcher({
      write: (lines) => this.#write(lines),
      observer: {
        ...observer,
        written: (lines, rejections, durationMs) => {
          this.#journal?.release(lines.length);
          observer.written(lines, rejections, durationMs);
        },
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
    this.#recoveryTimer = hasFile ? this.#recoverLater() : undefined;
    this.#forgetExit = hasFile ? atExit(() => this.#onExit()) : () => undefined;
  }

  get queue(): Pick<Batcher<string>, "accepted" | "isClosed" | "peak" | "queued" | "retries"> {
    return this.#batcher;
  }

  get journal(): Pick<Journal, "failures" | "written"> | undefined {
    return this.#journal;
  }

  get cost(): CommitCost | undefined {
    return this.#writer.cost;
  }

  /** Accepted lines that are neither written nor on disk, and that this process writes no more. */
  get lost(): number {
    return this.#journal ? Math.min(this.#givenUp, this.#journal.unwritten) : this.#givenUp;
  }

  /** Accepted lines that this process writes no more, on disk for the next one that opens the database. */
  get leftInJournal(): number {
    return this.#givenUp - this.lost;
  }

  /**
   * Takes a line in, safe from SIGKILL when this returns; or refuses it (false).
   * @param callId The call in flight that it ends.
   */
  accept(line: string, callId?: string): boolean {
    const isAccepted = this.#batcher.add(line);
    if (isAccepted) this.#journal?.append(line, callId);
    else if (callId !== undefined) this.drop(callId);
    return isAccepted;
  }

  /** Journals the line of a call in flight, until it ends. */
  open(id: string, line: string): void {
    if (!this.#batcher.isClosed) this.#journal?.keepOpen(id, line);
  }

  /** The end of a call in flight will never be accepted. */
  drop(id: string): void {
    this.#journal?.dropOpen(id);
  }

  flush(): Promise<FlushResult> {
    return keepAlive(this.#batcher.flush());
  }

  /** Writes everything, the last lines too, and lets go of all files. Lines that remain stay in the journal. */
  async close(timeoutMs: number): Promise<FlushResult> {
    clearTimeout(this.#recoveryTimer);
    const last = this.#options.lastLines();
    for (const { line, callId } of last) this.#journal?.append(line, callId);
    const lines = last.map(({ line }) => line);
    const result = await keepAlive(this.#batcher.close(timeoutMs, lines));
    await this.#writer.close(CLOSE_MS);
    // A write that failed because the writer was closed is given up first.
    await new Promise(setImmediate);
    this.#forgetLog();
    this.#journal?.close();
    // Last: a process may end while it waits for this.
    this.#forgetExit();
    return result;
  }

  /** From now on the log is in use in this process: by the connection of the host. */
  #noteLog(): void {
    const { db, recorderId } = this.#options;
    if (!db.$client) return;
    try {
      mkdirSync(journalDirectory(db.path), { recursive: true, mode: 0o700 });
      this.#notedFile = canonicalPath(db.path);
      noteLogOwner(db.$client, this.#notedFile, recorderId);
    } catch {
      // Without a directory for it there is no note.
    }
  }

  #forgetLog(): void {
    if (this.#notedFile) forgetLogOwner(this.#notedFile, this.#options.recorderId);
  }

  #createWriter(hasFile: boolean): LineWriter {
    const { db, config, recorderId, writer, recovered } = this.#options;
    const warn = (message: string) => void config.logger.warn(message);
    if (writer) return new InlineWriter(writer);
    const { path, $client } = db;
    if (!hasFile && $client) return new InlineWriter(new Writer($client, path, recorderId));
    const { worker, retention } = config;
    if (worker === false) {
      const recovery = new BackgroundRecovery({ path, warn, took: recovered });
      return new InlineWriter(new FileWriter(path, recorderId, warn), recovery);
    }
    const program = worker === true ? WORKER_PROGRAM : worker;
    return new WorkerWriter({ program, path, recorderId, retention, warn, recovered });
  }

  /** Recovery takes time that a server has when it has answered its first messages. */
  #recoverLater(): ReturnType<typeof setTimeout> {
    const { db, recorderId } = this.#options;
    const timer = setTimeout(() => {
      // No thread is started where there are only our own files.
      if (listRecorders(db.path).some((id) => id !== recorderId)) this.#writer.recover();
    }, RECOVERY_DELAY_MS);
    timer.unref();
    return timer;
  }

  #createJournal(): Journal {
    const { db, config, recorderId } = this.#options;
    const warn = (error: unknown) =>
      void config.logger.warn(
        `Expected to journal into ${db.path}.journal, but: ${errorMessage(error)}. Until that works, records wait in memory only: a process that is killed loses them.`,
      );
    return new Journal(db.path, recorderId, warn, config.maxQueueBytes);
  }

  async #write(lines: readonly string[]) {
    const isDatabase = this.#options.writer === undefined;
    const footnote = isDatabase ? this.#options.footnote(lines.length) : undefined;
    if (footnote === undefined) return this.#writer.write(lines);
    const rejections = await this.#writer.write([...lines, footnote]);
    return rejections.filter(({ item }) => item !== footnote);
  }

  /** The process ends now: what waits is written in this thread, or stays in the journal, or is lost. */
  #onExit(): void {
    const { config, lastLines, observer } = this.#options;
    const last = lastLines();
    const lines = this.#batcher.takeAll(last.map(({ line }) => line));
    const startedAt = performance.now();
    try {
      const rejections = lines.length > 0 ? this.#writeNow(lines) : [];
      this.#forgetLog();
      this.#journal?.remove();
      observer.written(lines, rejections, performance.now() - startedAt);
    } catch (error) {
      for (const { line, callId } of last) this.#journal?.append(line, callId);
      this.#journal?.close();
      this.#givenUp += lines.length;
      if (this.lost === 0) return;
      const others =
        this.leftInJournal > 0 ? ` ${this.leftInJournal} others wait in the journal.` : "";
      config.logger.error(
        `The process ends, and ${this.lost} records could not be written: ${errorMessage(error)}. They are lost.${others}`,
      );
    }
  }

  #writeNow(lines: readonly string[]): readonly Rejection<string>[] {
    const { db, config, recorderId, footnote } = this.#options;
    rollBack(db);
    const warn = (message: string) => void config.logger.warn(message);
    const writer = new FileWriter(db.path, recorderId, warn);
    const { records, undecodable } = decodeAll([
      ...lines,
      ...[footnote(lines.length) ?? []].flat(),
    ]);
    const rejections = writer.writeSync([...records.keys()], EXIT_WAIT_MS);
    writer.close();
    return [...undecodable, ...toLines(records, rejections)];
  }
}

/** A transaction that the host left open would keep the lock from us, and nobody will commit it any more. */
function rollBack({ $client }: Destination): void {
  try {
    if ($client?.inTransaction) $client.run("rollback");
  } catch {
    // The connection was closed.
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
