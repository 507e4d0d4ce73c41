import { backoffMs } from "./backoff.ts";
import { Queue, type QueueOptions } from "./queue.ts";
import { Waiters } from "./waiters.ts";

/** One item of a batch that can never be stored, and why. */
export interface Rejection {
  /** The item's index in the batch. */
  readonly index: number;
  readonly error: unknown;
}

/**
 * Writes a batch whole, in order. Returns the items that can never be written; the others are then
 * stored. Throws if nothing of the batch was stored; the batch is then tried again.
 */
type Write<T> = (batch: readonly T[]) => readonly Rejection[] | Promise<readonly Rejection[]>;

/** What became of the items that were accepted before a `flush()`. */
export interface FlushResult {
  readonly outcome: "written" | "failed" | "timed_out";
  /** How many items still wait in memory. After a timed-out shutdown: how many were given up. */
  readonly remaining: number;
  /** Why the write failed. */
  readonly error?: unknown;
}

export interface BatcherObserver<T> {
  /** A batch was stored, except for `rejections`. */
  written(batch: readonly T[], rejections: readonly Rejection[], durationMs: number): void;
  /** A write threw, the `failures`th time in a row. The batch is tried again in `retryInMs`. */
  failed(error: unknown, failures: number, retryInMs: number): void;
  /** `close()` ran out of time and gave these items up. */
  gaveUp(items: readonly T[]): void;
}

export interface BatcherOptions<T> extends QueueOptions<T> {
  readonly write: Write<T>;
  readonly observer: BatcherObserver<T>;
  /** Items that make a batch due at once. */
  readonly batchSize: number;
  /** Items a batch at most, when more wait than make one due. @default `batchSize` */
  readonly maxBatchSize?: number;
  /** Longest pause after a failed write, in milliseconds. @default 30_000 */
  readonly maxRetryMs?: (error: unknown) => number;
  /** Longest time an item waits for its batch to fill, in milliseconds. */
  readonly flushIntervalMs: number;
  /** Sizes of the items of a batch, together; one item alone may be larger. @default no limit */
  readonly maxBatchBytes?: number;
}

/** While closing there is no later: tries come close together. */
const CLOSING_RETRY_MS = 100;

/**
 * A bounded queue in front of a `write(batch)` function: a batch is written when it is full, when its
 * first item has waited `flushIntervalMs`, on `flush()` and on `close()`. One write at a time, in order.
 *
 * Items stay in the queue until their write succeeds, so a failed batch is at the front again without
 * being put there. Failures are tried again with growing, jittered pauses, for ever.
 */
export class Batcher<T> {
  readonly #options: BatcherOptions<T>;
  /** Everything accepted and not yet settled, oldest first. Never longer than `maxQueueSize`, but for `last`. */
  readonly #queue: Queue<T>;
  /** Flushes under way. The target is the number of items that are settled, of all that were ever accepted. */
  readonly #waiters = new Waiters<FlushResult>();
  /** Items up to this count are due, though they may not fill a batch. */
  #dueTarget = 0;
  /** Writes that failed in a row. Zero again with the next success. */
  #failures = 0;
  #retryMs = 0;
  #retries = 0;
  /** How many items at the front are being written. */
  #inFlight = 0;
  /** True from the first step of a drain to its last: there is never a second one. */
  #isDraining = false;
  #isScheduled = false;
  /** Armed only while items wait and no drain runs: for the interval, or for the next try. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closing: PromiseWithResolvers<FlushResult> | undefined;
  #expiry: ReturnType<typeof setTimeout> | undefined;
  #isExpired = false;
  /** Whether `takeAll()` took the items of the write under way. */
  #isTaken = false;

  constructor(options: BatcherOptions<T>) {
    this.#options = options;
    this.#queue = new Queue(options);
  }

  /** How many items were ever accepted. */
  get accepted(): number {
    return this.#queue.accepted;
  }

  /** How many items wait, those being written included. */
  get queued(): number {
    return this.#queue.length;
  }

  /** The most that ever waited. */
  get peak(): number {
    return this.#queue.peak;
  }

  /** What waits this moment, oldest first, that being written included. */
  get waiting(): readonly T[] {
    return this.#queue.items;
  }

  /** How many writes were a further try of a batch that had failed. */
  get retries(): number {
    return this.#retries;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  get isFull(): boolean {
    return this.#queue.isFull;
  }

  /** Takes an item in, or refuses it (false) if the queue is full or closed. Never writes by itself. */
  add(item: T): boolean {
    if (this.isClosed || this.isFull) return false;
    this.#queue.push(item);
    if (this.#isDraining) return true;
    // While writes fail, only the clock or a flush tries again: not each further item.
    if (this.#failures === 0 && this.#queue.length >= this.#options.batchSize) this.#schedule();
    else if (this.#timer === undefined) this.#arm(this.#options.flushIntervalMs);
    return true;
  }

  /**
   * Writes everything accepted before the call, without waiting for a full batch or the next try.
   * Resolves when all of it is settled, or when a write failed. Never rejects. Parallel calls share the work.
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
   * Refuses further items and writes those that wait, with frequent tries, for at most `timeoutMs`
   * milliseconds; what is left then is given up. `last` items are taken in even if the queue is full.
   * Parallel and later calls share the first one's promise.
   */
  close(timeoutMs: number, last: readonly T[] = []): Promise<FlushResult> {
    if (this.#closing) return this.#closing.promise;
    // Before anything else: what the first write calls back finds the queue closed.
    this.#closing = Promise.withResolvers();
    for (const item of last) this.#queue.push(item);
    if (this.#queue.length > 0) {
      this.#expiry = setTimeout(() => this.#expire(), timeoutMs);
      this.#drainAll();
    } else this.#finish({ outcome: "written", remaining: 0 });
    return this.#closing.promise;
  }

  /**
   * Closes at once and hands over everything that waits, `last` included, for the caller to settle: the process
   * ends. A write under way counts for nothing any more.
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

  /** Gives up what is not being written this moment; a write under way may still succeed. */
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

  /** The next batch; it stays in the queue until it is stored. */
  #next(): readonly T[] {
    const { batchSize, maxBatchSize = batchSize, maxBatchBytes = Infinity } = this.#options;
    return this.#queue.first(maxBatchSize, maxBatchBytes);
  }

  /** A full batch is written on the next turn of the event loop, not on the stack of the caller. */
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
    return length > 0 && (isFull || this.#queue.settled < this.#dueTarget);
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
        this.#settle(batch, rejections, performance.now() - startedAt);
      } catch (error) {
        if (this.#isTaken) break;
        this.#fail(error);
      }
      // Other work of the process gets its turn between two batches.
      if (this.#isDue) await new Promise(setImmediate);
    }
    this.#isDraining = false;
    if (this.#queue.length > 0) this.#arm(this.#pauseMs);
    else this.#finish({ outcome: "written", remaining: 0 });
  }

  #settle(batch: readonly T[], rejections: readonly Rejection[], durationMs: number): void {
    this.#inFlight = 0;
    this.#failures = 0;
    this.#queue.remove(0, batch.length);
    this.#options.observer.written(batch, rejections, durationMs);
    this.#waiters.reach(this.#queue.settled, {
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
    // Each waiter waits for the failed batch at least. This comes after the observer, so that a `flush()`
    // from inside it is answered by this failure instead of causing the next one.
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
