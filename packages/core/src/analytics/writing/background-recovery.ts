import { isBusy } from "../errors.ts";
import { FileWriter } from "./file-writer.ts";
import { FileLock } from "../file/lock.ts";
import { type RecoveredBatch, type RecoverySteps, recoverySteps } from "./recovery.ts";
import type { Rejection } from "./batcher.ts";

export interface BackgroundRecoveryOptions {
  readonly path: string;
  readonly warn: (message: string) => void;
  /** Called after each batch with the number of imported records. */
  readonly imported: (records: number) => void;
}

/** Pause between two batches in which others can write, in milliseconds. */
const PAUSE_MS = 5;

/** Pause while another process holds the lock of the database, in milliseconds. */
const BUSY_PAUSE_MS = 1_000;

/** Imports the journals of dead processes batch by batch, each batch on a separate turn of the event loop. */
export class BackgroundRecovery {
  readonly #options: BackgroundRecoveryOptions;
  #steps: RecoverySteps | undefined;
  /** The batch to commit next. */
  #batch: RecoveredBatch | undefined;
  #writer: { readonly recorderId: string; readonly file: FileWriter } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: BackgroundRecoveryOptions) {
    this.#options = options;
  }

  /** Starts on the next turn of the event loop. Never keeps the process alive. */
  start(): void {
    if (this.#timer === undefined) this.#schedule(0);
  }

  /** Stops at once; uncommitted records stay in their files. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#batch = undefined;
    this.#steps?.return();
    this.#steps = undefined;
    this.#closeWriter();
  }

  #schedule(pauseMs: number): void {
    this.#timer = setTimeout(() => this.#advance(), pauseMs);
    this.#timer.unref();
  }

  #advance(): void {
    const { path, warn, imported } = this.#options;
    const steps = (this.#steps ??= recoverySteps({ path, warn, imported, takeTurn }));
    const step = this.#batch ? this.#commit(steps, this.#batch) : steps.next();
    if (step === "busy") this.#schedule(BUSY_PAUSE_MS);
    else if (step.done) this.stop();
    else {
      this.#batch = step.value;
      this.#schedule(PAUSE_MS);
    }
  }

  #commit(
    steps: RecoverySteps,
    { recorderId, records }: RecoveredBatch,
  ): IteratorResult<RecoveredBatch, void> | "busy" {
    let rejections: readonly Rejection[];
    try {
      rejections = this.#writerOf(recorderId).writeSync(records, 0);
    } catch (error) {
      return isBusy(error) ? "busy" : steps.throw(error);
    }
    return steps.next(rejections);
  }

  /** Returns a writer with the id of a dead recorder, so that the sessions of its calls belong to it. */
  #writerOf(recorderId: string): FileWriter {
    if (this.#writer?.recorderId !== recorderId) {
      this.#closeWriter();
      const { path, warn } = this.#options;
      this.#writer = { recorderId, file: new FileWriter(path, recorderId, warn) };
    }
    return this.#writer.file;
  }

  #closeWriter(): void {
    this.#writer?.file.close();
    this.#writer = undefined;
  }
}

/** Does not wait: the process that holds the lock imports everything. */
function takeTurn(lock: string): FileLock | undefined {
  return FileLock.tryAcquire(lock);
}
