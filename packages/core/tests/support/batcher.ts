import { afterEach, beforeEach, jest, mock } from "bun:test";
import {
  Batcher,
  type BatcherObserver,
  type BatcherOptions,
  type FlushResult,
  type Rejection,
} from "../../src/analytics/writing/batcher.ts";
import { elapse, turn } from "./event-loop.ts";

export const DOWN = new Error("the sink is down");
export const POISONED = new Error("poisoned");
export const ALL_WRITTEN: FlushResult = { outcome: "written", remaining: 0 };

function indexesOf(
  batch: readonly number[],
  matches: (item: number) => boolean,
): readonly number[] {
  return [...batch.keys()].filter((index) => matches(batch[index] ?? Number.NaN));
}

/** The double at the `write(batch)` seam, and the observer beside it: keeps what it is told. */
export class Sink implements BatcherObserver<number> {
  /** The batch of each write, whatever became of it. */
  readonly tries: (readonly number[])[] = [];
  readonly stored: number[] = [];
  readonly rejections: Rejection[] = [];
  readonly givenUp: number[] = [];
  /** The pause announced after each failure. */
  readonly pauses: number[] = [];
  /** Items that a write sets aside. */
  readonly poison = new Set<number>();
  /** Thrown by each write while set. */
  error: Error | undefined;
  /** Each write waits for it while set. */
  gate: PromiseWithResolvers<void> | undefined;
  onWritten = (): void => undefined;
  onFailed = (): void => undefined;

  async write(batch: readonly number[]): Promise<readonly Rejection[]> {
    this.tries.push(batch);
    await this.gate?.promise;
    if (this.error) throw this.error;
    return indexesOf(batch, (item) => this.poison.has(item)).map((index) => ({
      index,
      error: POISONED,
    }));
  }

  written(batch: readonly number[], rejections: readonly Rejection[]): void {
    const rejected = new Set(rejections.map(({ index }) => index));
    this.stored.push(...batch.filter((_, index) => !rejected.has(index)));
    this.rejections.push(...rejections);
    this.onWritten();
  }

  failed(_error: unknown, _failures: number, retryInMs: number): void {
    this.pauses.push(retryInMs);
    this.onFailed();
  }

  gaveUp(items: readonly number[]): void {
    this.givenUp.push(...items);
  }

  get sizes(): number[] {
    return this.tries.map((batch) => batch.length);
  }
}

export function setUp(options: Partial<BatcherOptions<number>> = {}) {
  const sink = new Sink();
  const batcher = new Batcher<number>({
    write: (batch) => sink.write(batch),
    observer: sink,
    batchSize: 50,
    flushIntervalMs: 5_000,
    maxQueueSize: 10_000,
    ...options,
  });
  let next = 0;
  /** Offers the next `count` integers, one after the other, taken or not. */
  const add = (count: number) => {
    for (let i = 0; i < count; i++) batcher.add(next++);
  };
  return { batcher, sink, add };
}

/** A batcher that is closed and out of time: a write of 50 items hangs, and 10 more were given up. */
export async function expired() {
  const { batcher, sink, add } = setUp();
  const gate = (sink.gate = Promise.withResolvers<void>());
  add(60);
  await turn();
  const closed = batcher.close(300);
  await elapse(300);
  const result = await closed;
  return { batcher, sink, gate, result };
}

/** `count` integers from `first`. */
export function range(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** Runs the tests of a file with fake timers, and without anything that an earlier test has scheduled. */
export function useFakeTime(): void {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(async () => {
    await turn(2);
    jest.useRealTimers();
    mock.restore();
  });
}
