import { mkdirSync } from "node:fs";
import { Batcher, type BatcherObserver, type FlushResult } from "./batcher.ts";
import { canonicalPath } from "./canonical-path.ts";
import type { ResolvedConfig } from "./config.ts";
import { MEMORY } from "./connection.ts";
import type { AnalyticsDb } from "./database.ts";
import { errorMessage } from "./errors.ts";
import { atExit } from "./exit.ts";
import { type CommitCost, FileWriter } from "./file-writer.ts";
import { Journal, journalDirectory } from "./journal.ts";
import { forgetLogOwner, noteLogOwner } from "./log-owner.ts";
import { InlineWriter, type LineWriter, decodeAll } from "./line-writer.ts";
import { WORKER_PROGRAM, WorkerWriter } from "./worker-writer.ts";
import { type RecordWriter, Writer } from "./writer.ts";

/** Characters a message to the worker: more would hold up both threads. */
const MAX_BATCH_LENGTH = 262_144;

/** Full batches that share a transaction at most, when so many wait: to commit costs as much as to insert 50 rows. */
const BATCHES_A_COMMIT = 20;

/** Longest wait for other processes' locks in the hook of a process that ends, in milliseconds. */
const EXIT_WAIT_MS = 250;

/** Time for the worker to close its connection, after everything is written, in milliseconds. */
const CLOSE_MS = 250;

export interface PipelineOptions {
  readonly db: AnalyticsDb;
  readonly recorderId: string;
  readonly config: ResolvedConfig;
  /** Where batches go instead of the database. */
  readonly writer?: RecordWriter | undefined;
  readonly observer: BatcherObserver<string>;
  /**
   * A line that goes with `count` lines that are about to be written into the database, if there is one to
   * go. `unqueued` of them were never in the queue.
   */
  readonly footnote: (count: number, unqueued: number) => string | undefined;
  /** The lines that end everything: asked for once, by `close()` or by the end of the process. */
  readonly lastLines: () => readonly string[];
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
      },
      batchSize: config.batchSize,
      // Whoever takes batches instead of the database gets them as small as it asked for.
      maxBatchSize: config.batchSize * (writer ? 1 : BATCHES_A_COMMIT),
      flushIntervalMs: config.flushIntervalMs,
      maxQueueSize: config.maxQueueSize,
      maxQueueBytes: config.maxQueueBytes,
      maxBatchBytes: MAX_BATCH_LENGTH,
      sizeOf: (line) => line.length,
    });
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

  /** Takes a line in, safe from SIGKILL when this returns; or refuses it (false). */
  accept(line: string): boolean {
    if (!this.#batcher.add(line)) return false;
    this.#journal?.append(line);
    return true;
  }

  /** Journals the line of a call in flight, until it is settled. After `close()` there is no journal to keep it. */
  open(id: string, line: string): void {
    if (!this.#batcher.isClosed) this.#journal?.keepOpen(id, line);
  }

  /** The call's end was accepted, or never will be. */
  settle(id: string): void {
    this.#journal?.dropOpen(id);
  }

  flush(): Promise<FlushResult> {
    return keepAlive(this.#batcher.flush());
  }

  /** Writes everything, the last lines too, and lets go of all files. Lines that remain stay in the journal. */
  async close(timeoutMs: number): Promise<FlushResult> {
    const last = this.#options.lastLines();
    for (const line of last) this.#journal?.append(line);
    const result = await keepAlive(this.#batcher.close(timeoutMs, last));
    await this.#writer.close(CLOSE_MS);
    this.#forgetLog();
    this.#journal?.close();
    // Last: a process may end while it waits for this.
    this.#forgetExit();
    return result;
  }

  /** From now on the log is in use in this process: by the connection of the host. */
  #noteLog(): void {
    const { db, recorderId } = this.#options;
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
    const { db, config, recorderId, writer } = this.#options;
    const warn = (message: string) => void config.logger.warn(message);
    if (writer) return new InlineWriter(writer);
    if (!hasFile) return new InlineWriter(new Writer(db.$client, db.path, recorderId));
    const { path } = db;
    const { worker, retention } = config;
    if (worker === false) return new InlineWriter(new FileWriter(path, recorderId, warn));
    const program = worker === true ? WORKER_PROGRAM : worker;
    return new WorkerWriter({ program, path, recorderId, retention, warn });
  }

  #createJournal(): Journal | undefined {
    const { db, config, recorderId } = this.#options;
    const warn = (error: unknown) =>
      void config.logger.warn(
        `Expected to journal into ${db.path}.journal, but: ${errorMessage(error)}. Records wait in memory alone; a process that is killed loses them.`,
      );
    try {
      return new Journal(db.path, recorderId, warn);
    } catch (error) {
      warn(error);
      return undefined;
    }
  }

  async #write(lines: readonly string[]) {
    const isDatabase = this.#options.writer === undefined;
    const footnote = isDatabase ? this.#options.footnote(lines.length, 0) : undefined;
    if (footnote === undefined) return this.#writer.write(lines);
    const rejections = await this.#writer.write([...lines, footnote]);
    return rejections.filter(({ item }) => item !== footnote);
  }

  /** The process ends now: what waits is written in this thread, or stays in the journal. */
  #onExit(): void {
    const { db, config, recorderId, footnote, lastLines } = this.#options;
    const last = lastLines();
    const lines = [...this.#batcher.waiting, ...last];
    try {
      if (lines.length > 0) {
        rollBack(db);
        const warn = (message: string) => void config.logger.warn(message);
        const writer = new FileWriter(db.path, recorderId, warn);
        const noted = [...lines, footnote(lines.length, last.length) ?? []].flat();
        writer.writeSync([...decodeAll(noted).records.keys()], EXIT_WAIT_MS);
        writer.close();
      }
      this.#forgetLog();
      this.#journal?.remove();
    } catch (error) {
      if (this.#journal) {
        for (const line of last) this.#journal.append(line);
        this.#journal.close();
      } else {
        config.logger.error(
          `The process ends, and ${lines.length} records could not be written: ${errorMessage(error)}.`,
        );
      }
    }
  }
}

/** A transaction that the host left open would keep the lock from us, and nobody will commit it any more. */
function rollBack({ $client }: AnalyticsDb): void {
  try {
    if ($client.inTransaction) $client.run("rollback");
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
