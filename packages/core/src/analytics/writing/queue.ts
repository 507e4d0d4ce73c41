export interface QueueOptions<T> {
  /** Maximum number of waiting items; further ones are refused. */
  readonly maxQueueSize: number;
  /** Returns the size of an item, in the unit of the limits. @default 0 */
  readonly sizeOf?: (item: T) => number;
  /** Total size of the waiting items at which further ones are refused. @default no limit */
  readonly maxQueueBytes?: number;
}

/** A first-in, first-out queue that is bounded by the number and the total size of its items. */
export class Queue<T> {
  readonly #options: QueueOptions<T>;
  readonly #items: T[] = [];
  #bytes = 0;
  #accepted = 0;
  #peak = 0;

  constructor(options: QueueOptions<T>) {
    this.#options = options;
  }

  /** The waiting items, oldest first. */
  get items(): readonly T[] {
    return this.#items;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Total number of added items. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Number of items that were added and removed again. */
  get removed(): number {
    return this.#accepted - this.#items.length;
  }

  /** The largest number of items that ever waited. */
  get peak(): number {
    return this.#peak;
  }

  get isFull(): boolean {
    const { maxQueueSize, maxQueueBytes = Infinity } = this.#options;
    return this.#items.length >= maxQueueSize || this.#bytes >= maxQueueBytes;
  }

  /** Adds an item, even if the queue is full. */
  push(item: T): void {
    this.#items.push(item);
    this.#accepted += 1;
    this.#bytes += this.#sizeOf(item);
    this.#peak = Math.max(this.#peak, this.#items.length);
  }

  /** Returns the oldest items within both limits, and at least one if any waits. They stay in the queue. */
  first(maxCount: number, maxBytes: number): readonly T[] {
    const items = this.#items.slice(0, maxCount);
    let bytes = 0;
    const end = items.findIndex((item) => (bytes += this.#sizeOf(item)) > maxBytes);
    return end < 0 ? items : items.slice(0, Math.max(1, end));
  }

  /** Removes and returns up to `count` items from index `start` on. */
  remove(start: number, count: number): readonly T[] {
    const items = this.#items.splice(start, count);
    for (const item of items) this.#bytes -= this.#sizeOf(item);
    return items;
  }

  #sizeOf(item: T): number {
    return this.#options.sizeOf?.(item) ?? 0;
  }
}
