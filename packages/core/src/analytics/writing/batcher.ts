import { backoffMs } from "./backoff.ts";
import { Queue, type QueueOptions } from "./queue.ts";
import { Waiters } from "./waiters.ts";

/** One item of a batch that can never be stored, and the reason. */
export interface Rejection {
  /** The item's index in the batch. */
  readonly index: number;
  readonly error: unknown;
}

/**
 * Writes a whole batch in order. Returns the items that can never be stored; all others are stored. Throws if it stored
 * nothing; the batch is then retried.
 */
type Write<T> = (batch: readonly T[]) => readonly Rejection[] | Promise<readonly Rejection[]>;

/** The result for the items that were accepted before a `flush()`. */
export interface FlushResult {
  readonly outcome: "written" | "failed" | "timed_out";
  /** Number of items that still wait in memory; after a timed-out shutdown, of those that were given up. */
  readonly remaining: number;
  /** The error of a failed write. */
  readonly error?: unknown;
}

export interface BatcherObserver<T> {
  /** A batch was stored, except for `rejections`. */
  written(batch: readonly T[], rejections: readonly Rejection[], durationMs: number): void;
  /** A write threw, for the `failures`th time in a row. The batch is retried in `retryInMs`. */
  failed(error: unknown, failures: number, retryInMs: number): void;
  /** `close()` ran out of time and gave these items up. */
  gaveUp(items: readonly T[]): void;
}

export interface BatcherOptions<T> extends QueueOptions<T> {
  readonly write: Write<T>;
  readonly observer: BatcherObserver<T>;
  /** Number of waiting items at which a batch is written at once. */
  readonly batchSize: number;
  /** Maximum number of items per batch, if more than `batchSize` wait. @default `batchSize` */
  readonly maxBatchSize?: number;
  /** Longest pause after a failed write, in milliseconds. @default 30_000 */
  readonly maxRetryMs?: (error: unknown) => number;
  /** Longest time an item waits for its batch to fill, in milliseconds. */
  readonly flushIntervalMs: number;
  /** Maximum total size of a batch; a single item may be larger. @default no limit */
  readonly maxBatchBytes?: number;
}

/** Longest pause after a failed write while closing, in milliseconds. */
const CLOSING_RETRY_MS = 100;

/**
 * A bounded queue in front of a `write(batch)` function. A batch is written when it is full, when its first item has
 * waited `flushIntervalMs`, on `flush()` and on `close()`; one write at a time, in order.
 *
 * Items stay in the queue until their write succeeds, so a failed batch keeps its place. Failed writes are retried
 * forever, with growing, jittered pauses.
 */
export class Batcher<T> {
  readonly #options: BatcherOptions<T>;
  /**
   * Accepted items that are neither written nor given up, oldest first. Exceeds `maxQueueSize` only by the `last` items
   * of `close()`.
   */
  readonly #queue: Queue<T>;
  /** Pending flushes. Their target is the total number of items that were written or given up. */
  readonly #waiters = new Waiters<FlushResult>();
  /** Items up to this total count are due, even if they do not fill a batch. */
  #dueTarget = 0;
  /** Consecutive failed writes. Reset to zero by a success. */
  #failures = 0;
  #retryMs = 0;
  #retries = 0;
  /** Number of items at the front that are being written. */
  #inFlight = 0;
  /** True while a drain runs; there is never a second one at the same time. */
  #isDraining = false;
  #isScheduled = false;
  /** Armed for the interval or the next attempt, only while items wait and no drain runs. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closing: PromiseWithResolvers<FlushResult> | undefined;
  #expiry: ReturnType<typeof setTimeout> | undefined;
  #isExpired = false;
  /** Whether `takeAll()` took the items of the current write. */
  #isTaken = false;

  constructor(options: BatcherOptions<T>) {
    this.#options = options;
    this.#queue = new Queue(options);
  }

  /** Total number of accepted items. */
  get accepted(): number {
    return this.#queue.accepted;
  }

  /** Number of waiting items, including those being written. */
  get queued(): number {
    return this.#queue.length;
  }

  /** The largest number of items that ever waited. */
  get peak(): number {
    return this.#queue.peak;
  }

  /** The waiting items, oldest first, including those being written. */
  get waiting(): readonly T[] {
    return this.#queue.items;
  }

  /** Number of writes that retried a failed batch. */
  get retries(): number {
    return this.#retries;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  get isFull(): boolean {
    return this.#queue.isFull;
  }

  /**
   * Accepts an item. Returns false, and refuses it, if the queue is full or closed. Never writes on the caller's stack.
   */
  add(item: T): boolean {
    if (this.isClosed || this.isFull) return false;
    this.#queue.push(item);
    if (this.#isDraining) return true;
    // While writes fail, only the timer or a flush retries, not each new item.
    if (this.#failures === 0 && this.#queue.length >= this.#options.batchSize) this.#schedule();
    else if (this.#timer === undefined) this.#arm(this.#options.flushIntervalMs);
    return true;
  }

  /**
   * Writes everything accepted before the call, without waiting for a full batch or the next attempt. Resolves when all
   * of it is written or given up, or when a write fails. Never rejects. Parallel calls share the work.
   */
  flush(): Promise<FlushResult> {
    const remaining = this.#queue.length;
    if (remaining === 0) return Promise.resolve({ outcome: "written", remaining });
    if (this.#isExpired) return Promise.resolve({ outcome: "timed_out", remaining });
    const result = this.#waiters.add(this.#queue.accepted);
    this.#drainAll();
    return result;
  }

  /**
   * Refuses further items and writes the waiting ones, with frequent retries, for at most `timeoutMs` milliseconds;
   * then gives up the rest. `last` items are accepted even if the queue is full. Parallel and later calls share the
   * promise of the first one.
   */
  close(timeoutMs: number, last: readonly T[] = []): Promise<FlushResult> {
    if (this.#closing) return this.#closing.promise;
    // Set first, so that callbacks of the first write find the queue closed.
    this.#closing = Promise.withResolvers();
    for (const item of last) this.#queue.push(item);
    if (this.#queue.length > 0) {
      this.#expiry = setTimeout(() => this.#expire(), timeoutMs);
      this.#drainAll();
    } else this.#finish({ outcome: "written", remaining: 0 });
    return this.#closing.promise;
  }

  /**
   * Closes at once and returns all waiting items, including `last`, for the caller to write while the process ends. The
   * result of a write in progress is ignored.
   */
  takeAll(last: readonly T[]): readonly T[] {
    this.#closing ??= Promise.withResolvers();
    for (const item of last) this.#queue.push(item);
    const items = this.#queue.remove(0, Infinity);
    this.#isTaken = true;
    this.#stop({ outcome: "timed_out", remaining: items.length });
    return items;
  }

  #finish(result: FlushResult): void {
    clearTimeout(this.#expiry);
    this.#closing?.resolve(result);
  }

  /** Gives up all items except those being written; a write in progress may still succeed. */
  #expire(): void {
    const result = { outcome: "timed_out", remaining: this.#queue.length } as const;
    this.#giveUp(this.#queue.remove(this.#inFlight, Infinity));
    this.#stop(result);
  }

  #stop(result: FlushResult): void {
    this.#isExpired = true;
    this.#disarm();
    this.#waiters.resolveAll(result);
    this.#finish(result);
  }

  /** Returns the next batch, which stays in the queue until it is stored. */
  #next(): readonly T[] {
    const { batchSize, maxBatchSize = batchSize, maxBatchBytes = Infinity } = this.#options;
    return this.#queue.first(maxBatchSize, maxBatchBytes);
  }

  /** Writes a full batch on the next turn of the event loop, not on the caller's stack. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#drain();
    });
  }

  #drainAll(): void {
    this.#dueTarget = this.#queue.accepted;
    void this.#drain();
  }

  get #isDue(): boolean {
    const { length } = this.#queue;
    const isFull = this.#failures === 0 && length >= this.#options.batchSize;
    return length > 0 && (isFull || this.#queue.removed < this.#dueTarget);
  }

  async #drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#disarm();
    while (this.#isDue) {
      const batch = this.#next();
      const startedAt = performance.now();
      this.#inFlight = batch.length;
      if (this.#failures > 0) this.#retries += 1;
      try {
        const rejections = await this.#options.write(batch);
        if (this.#isTaken) break;
        this.#written(batch, rejections, performance.now() - startedAt);
      } catch (error) {
        if (this.#isTaken) break;
        this.#fail(error);
      }
      // Let other work of the process run between two batches.
      if (this.#isDue) await new Promise(setImmediate);
    }
    this.#isDraining = false;
    if (this.#queue.length > 0) this.#arm(this.#pauseMs);
    else this.#finish({ outcome: "written", remaining: 0 });
  }

  #written(batch: readonly T[], rejections: readonly Rejection[], durationMs: number): void {
    this.#inFlight = 0;
    this.#failures = 0;
    this.#queue.remove(0, batch.length);
    this.#options.observer.written(batch, rejections, durationMs);
    this.#waiters.reach(this.#queue.removed, {
      outcome: "written",
      remaining: this.#queue.length,
    });
  }

  #fail(error: unknown): void {
    this.#inFlight = 0;
    this.#failures += 1;
    if (this.#isExpired) this.#giveUp(this.#queue.remove(0, Infinity));
    this.#retryMs = backoffMs(this.#failures, this.#options.maxRetryMs?.(error));
    this.#options.observer.failed(error, this.#failures, this.#pauseMs);
    // Every waiter includes the failed batch. Resolve after calling the observer, so that a `flush()` inside it gets this
    // failure instead of causing the next one.
    this.#dueTarget = 0;
    this.#waiters.resolveAll({ outcome: "failed", remaining: this.#queue.length, error });
  }

  get #pauseMs(): number {
    if (this.#failures === 0) return this.#options.flushIntervalMs;
    return this.isClosed ? Math.min(this.#retryMs, CLOSING_RETRY_MS) : this.#retryMs;
  }

  /** Arms the timer, which never keeps the process alive. */
  #arm(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#drainAll();
    }, delayMs);
    this.#timer.unref();
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #giveUp(items: readonly T[]): void {
    if (items.length > 0) this.#options.observer.gaveUp(items);
  }
}
