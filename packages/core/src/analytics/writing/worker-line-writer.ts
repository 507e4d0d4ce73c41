import { BackgroundRecovery } from "./background-recovery.ts";
import { AnalyticsError, type AnalyticsErrorCode, errorMessage } from "../errors.ts";
import { type CommitCost, FileWriter } from "./file-writer.ts";
import { InlineLineWriter, type LineWriter } from "./line-writer.ts";
import type { Rejection } from "./batcher.ts";
import type { RetentionPolicy } from "../housekeeping/retention.ts";
import { hasSpareDescriptors } from "./spare-descriptors.ts";

/** Messages to the worker. `lines` is one string, because a string crosses threads fastest. */
export type ToWorker =
  | {
      readonly kind: "open";
      readonly path: string;
      readonly recorderId: string;
      readonly retention: RetentionPolicy;
    }
  | { readonly kind: "write"; readonly lines: string }
  /** Imports the journals of dead processes between writes. */
  | { readonly kind: "recover" }
  | { readonly kind: "close" };

interface Failure {
  readonly code: AnalyticsErrorCode;
  readonly message: string;
}

/** Messages from the worker. */
export type FromWorker =
  | {
      readonly kind: "written";
      /** The lines that can never be stored. */
      readonly rejections: readonly ({ readonly index: number } & Failure)[];
      readonly cost: CommitCost;
    }
  | ({ readonly kind: "failed" } & Failure)
  | { readonly kind: "warning"; readonly message: string }
  | { readonly kind: "recovered"; readonly records: number }
  | { readonly kind: "closed" };

export interface WorkerLineWriterOptions {
  /** The path of the worker's program. */
  readonly program: string | URL;
  readonly path: string;
  readonly recorderId: string;
  readonly retention: RetentionPolicy;
  readonly warn: (message: string) => void;
  /** Called with the number of records that were imported from dead processes. */
  readonly recovered: (records: number) => void;
}

/** The program beside this file; a bundle does not contain it. */
export const WORKER_PROGRAM = new URL("./writer.worker.ts", import.meta.url);

/** Free descriptors required to start a worker. With fewer than 4, Bun 1.4.5 ends the whole process. */
const WORKER_DESCRIPTORS = 8;

const NO_DESCRIPTORS: Failure = {
  code: "cannot_open",
  message: `Expected ${WORKER_DESCRIPTORS} free file descriptors to start writing, but this process has too many files and sockets open. Close some, or raise the limit (\`ulimit -n\`).`,
};

type Answer = readonly Rejection[];

/** A batch that the worker has not acknowledged. */
interface Pending extends PromiseWithResolvers<Answer> {
  readonly lines: readonly string[];
}

/**
 * Writes batches in a worker, so that only its thread waits for locks, commits and checkpoints.
 *
 * The worker starts at the first batch and never keeps the process alive. If it dies, or the process has too few free
 * descriptors to start it, the batch fails and the next one starts a new worker. If it cannot run at all (a bundle
 * without its program), batches are written in the calling thread, after one warning.
 */
export class WorkerLineWriter implements LineWriter {
  readonly #options: WorkerLineWriterOptions;
  #worker: Worker | undefined;
  /** Whether the current worker ever answered. One that never did cannot run here. */
  #hasAnswered = false;
  #pending: Pending | undefined;
  #closed: PromiseWithResolvers<void> | undefined;
  #inline: LineWriter | undefined;
  #cost: CommitCost | undefined;
  /** Whether `recover()` was called, so that a new worker or writer continues the recovery. */
  #isRecovering = false;

  constructor(options: WorkerLineWriterOptions) {
    this.#options = options;
  }

  get cost(): CommitCost | undefined {
    return this.#inline?.cost ?? this.#cost;
  }

  write(lines: readonly string[]): Promise<Answer> {
    if (this.#inline) return this.#inline.write(lines);
    if (!this.#canStart) return Promise.reject(this.#toError(NO_DESCRIPTORS));
    const pending = { lines, ...Promise.withResolvers<Answer>() };
    this.#pending = pending;
    try {
      this.#worker ??= this.#start();
      post(this.#worker, { kind: "write", lines: lines.join("") });
    } catch (error) {
      this.#fallBack(errorMessage(error));
    }
    return pending.promise;
  }

  recover(): void {
    this.#isRecovering = true;
    if (this.#inline) return this.#inline.recover();
    if (this.#worker) return post(this.#worker, { kind: "recover" });
    // The next batch starts the worker, and with it the recovery.
    if (!this.#canStart) return;
    try {
      this.#worker = this.#start();
    } catch (error) {
      this.#fallBack(errorMessage(error));
    }
  }

  async close(timeoutMs: number): Promise<void> {
    await this.#inline?.close(timeoutMs);
    const worker = this.#worker;
    if (!worker) return;
    this.#closed = Promise.withResolvers();
    const timer = setTimeout(this.#closed.resolve, timeoutMs);
    post(worker, { kind: "close" });
    await this.#closed.promise;
    clearTimeout(timer);
    this.#worker = undefined;
    worker.terminate();
    this.#pending?.reject(new Error("The writer thread was terminated"));
    this.#pending = undefined;
  }

  /** Whether a worker runs or can be started now. */
  get #canStart(): boolean {
    return this.#worker !== undefined || hasSpareDescriptors(WORKER_DESCRIPTORS);
  }

  #start(): Worker {
    const { program, path, recorderId, retention } = this.#options;
    const worker = new Worker(program, { ref: false });
    this.#hasAnswered = false;
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
      if (worker === this.#worker) this.#onMessage(data);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#onDeath(worker, event.message);
    });
    worker.addEventListener("close", () => this.#onDeath(worker, "it ended"));
    post(worker, { kind: "open", path, recorderId, retention });
    if (this.#isRecovering) post(worker, { kind: "recover" });
    return worker;
  }

  #onMessage(message: FromWorker): void {
    const pending = this.#pending;
    switch (message.kind) {
      case "written":
        this.#hasAnswered = true;
        this.#cost = message.cost;
        this.#pending = undefined;
        pending?.resolve(
          message.rejections.map(({ index, ...failure }) => ({
            index,
            error: this.#toError(failure),
          })),
        );
        return;
      case "failed":
        this.#hasAnswered = true;
        this.#pending = undefined;
        pending?.reject(this.#toError(message));
        return;
      case "warning":
        this.#options.warn(message.message);
        return;
      case "recovered":
        this.#options.recovered(message.records);
        return;
      case "closed":
        this.#closed?.resolve();
    }
  }

  #toError({ code, message }: Failure): AnalyticsError {
    return new AnalyticsError(code, this.#options.path, message);
  }

  #onDeath(worker: Worker, reason: string): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    this.#closed?.resolve();
    if (!this.#hasAnswered) return this.#fallBack(reason);
    this.#pending?.reject(new Error(`The writer thread died: ${reason}`));
    this.#pending = undefined;
  }

  /** Switches to writing in the calling thread. */
  #fallBack(reason: string): void {
    const { path, recorderId, warn, recovered } = this.#options;
    warn(
      `Expected to write in a worker thread, but it could not run (${reason}). Batches are written in the calling thread instead. In a bundle, set the option \`worker\` to the path of the worker's program.`,
    );
    const recovery = new BackgroundRecovery({ path, warn, imported: recovered });
    const inline = new InlineLineWriter(new FileWriter(path, recorderId, warn), recovery);
    this.#inline = inline;
    if (this.#isRecovering) inline.recover();
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending) inline.write(pending.lines).then(pending.resolve, pending.reject);
  }
}

function post(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}
