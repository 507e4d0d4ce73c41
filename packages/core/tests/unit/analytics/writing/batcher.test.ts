import { afterEach, beforeEach, describe, expect, jest, mock, spyOn, test } from "bun:test";
import * as fc from "fast-check";
import {
  Batcher,
  type BatcherObserver,
  type BatcherOptions,
  type FlushResult,
} from "../../../../src/analytics/writing/batcher.ts";
import type { Rejection } from "../../../../src/analytics/writing/batcher.ts";
import { elapse, turn } from "../../../support/event-loop.ts";
import { runScript, specifier } from "../../../support/run-script.ts";

const DOWN = new Error("the sink is down");
const POISONED = new Error("poisoned");
const ALL_WRITTEN: FlushResult = { outcome: "written", remaining: 0 };

function indexesOf(
  batch: readonly number[],
  matches: (item: number) => boolean,
): readonly number[] {
  return [...batch.keys()].filter((index) => matches(batch[index] ?? Number.NaN));
}

/** The double at the `write(batch)` seam, and the observer beside it: keeps what it is told. */
class Sink implements BatcherObserver<number> {
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

function setUp(options: Partial<BatcherOptions<number>> = {}) {
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
async function expired() {
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
function range(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(async () => {
  // What a test has scheduled must not run in the next one.
  await turn(2);
  jest.useRealTimers();
  mock.restore();
});

describe("add()", () => {
  test("makes a batch at exactly 50 items, not at 49, on the next turn of the event loop", async () => {
    const { sink, add } = setUp();
    add(49);
    await turn(3);
    expect(sink.tries).toEqual([]);
    add(1);
    await Promise.resolve();
    expect(sink.tries).toEqual([]);
    await turn();
    expect(sink.tries).toEqual([range(50)]);
  });

  test("makes 40 batches of 2,000 items of one tick, in order, none of them by the clock", async () => {
    const { sink, add } = setUp();
    add(2_000);
    await turn(50);
    expect(sink.sizes).toEqual(Array(40).fill(50));
    expect(sink.stored).toEqual(range(2_000));
    expect(jest.getTimerCount()).toBe(0);
  });

  test("lets other work have its turn between two batches", async () => {
    const { sink, add } = setUp();
    add(150);
    const seen: number[] = [];
    for (let i = 0; i < 3; i++) {
      await turn();
      seen.push(sink.tries.length);
    }
    expect(seen).toEqual([1, 2, 3]);
  });

  test("refuses the newest item while the queue is full, those being written included", async () => {
    const { batcher, sink } = setUp({ batchSize: 2, maxQueueSize: 3 });
    sink.gate = Promise.withResolvers();
    expect([0, 1, 2, 3].map((item) => batcher.add(item))).toEqual([true, true, true, false]);
    await turn();
    expect(batcher.add(4)).toBe(false);
    sink.gate.resolve();
    await turn(2);
    expect(batcher.add(5)).toBe(true);
    await batcher.flush();
    expect(sink.stored).toEqual([0, 1, 2, 5]);
    expect([batcher.accepted, batcher.queued]).toEqual([4, 0]);
  });
});

describe("the timer", () => {
  test("writes a partial batch when its first item has waited the interval, not 1 ms before", async () => {
    const { sink, add } = setUp();
    add(3);
    jest.advanceTimersByTime(4_999);
    expect(sink.tries).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(sink.tries).toEqual([[0, 1, 2]]);
  });

  test("is armed by the first item and not reset by later ones", async () => {
    const { sink, add } = setUp();
    for (let i = 0; i < 4; i++) {
      add(1);
      await elapse(1_000);
    }
    expect(jest.getTimerCount()).toBe(1);
    add(1);
    jest.advanceTimersByTime(999);
    expect(sink.tries).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(sink.tries).toEqual([range(5)]);
  });

  test("does not exist while the queue is empty", async () => {
    const { add } = setUp();
    expect(jest.getTimerCount()).toBe(0);
    add(1);
    expect(jest.getTimerCount()).toBe(1);
    await elapse(5_000);
    expect(jest.getTimerCount()).toBe(0);
    await elapse(20_000, 1_000);
    expect(jest.getTimerCount()).toBe(0);
  });

  test("is armed again for what a full batch leaves over", async () => {
    const { sink, add } = setUp();
    add(30);
    await elapse(3_000);
    add(23);
    await turn(2);
    expect(sink.sizes).toEqual([50]);
    expect(jest.getTimerCount()).toBe(1);
    await elapse(4_950);
    expect(sink.sizes).toEqual([50]);
    await elapse(50);
    expect(sink.sizes).toEqual([50, 3]);
  });

  test("that would end during a write does nothing", async () => {
    const { batcher, sink, add } = setUp();
    sink.gate = Promise.withResolvers();
    add(3);
    await elapse(4_000);
    const flushed = batcher.flush();
    await elapse(20_000, 1_000);
    expect(sink.tries).toEqual([[0, 1, 2]]);
    sink.gate.resolve();
    expect(await flushed).toEqual(ALL_WRITTEN);
    await elapse(20_000, 1_000);
    expect(sink.tries).toEqual([[0, 1, 2]]);
  });

  test("does not keep the process alive, neither for an item that waits nor for the next try", async () => {
    const { stdout, stderr, exitCode } = await runScript(`
      import { Batcher } from ${specifier("writing/batcher")};
      const observer = { written() {}, failed() { console.log("failed"); }, gaveUp() {} };
      const options = { observer, batchSize: 2, flushIntervalMs: 60_000, maxQueueSize: 10 };
      const partial = new Batcher({ ...options, write() { console.log("written"); return []; } });
      const failing = new Batcher({ ...options, write() { throw new Error("down"); } });
      partial.add(1);
      failing.add(1);
      failing.add(2);
      process.on("exit", () => console.log(partial.queued, failing.queued));
    `);
    expect({ stdout, stderr, exitCode }).toEqual({
      stdout: "failed\n1 2\n",
      stderr: "",
      exitCode: 0,
    });
  });
});

describe("flush()", () => {
  test("resolves at once when nothing waits, without a write", async () => {
    const { batcher, sink } = setUp();
    expect(await batcher.flush()).toEqual(ALL_WRITTEN);
    expect(sink.tries).toEqual([]);
  });

  test("writes all that waits, in batches, and disarms the timer", async () => {
    const { batcher, sink, add } = setUp();
    add(120);
    expect(await batcher.flush()).toEqual(ALL_WRITTEN);
    expect(sink.sizes).toEqual([50, 50, 20]);
    expect(sink.stored).toEqual(range(120));
    expect(jest.getTimerCount()).toBe(0);
  });

  test("covers what was accepted before it; the clock alone writes what came during it", async () => {
    const { batcher, sink, add } = setUp();
    sink.gate = Promise.withResolvers();
    add(3);
    const flushed = batcher.flush();
    add(2);
    expect(jest.getTimerCount()).toBe(0);
    sink.gate.resolve();
    expect(await flushed).toEqual({ outcome: "written", remaining: 2 });
    await turn(3);
    expect(sink.tries).toEqual([[0, 1, 2]]);
    expect(jest.getTimerCount()).toBe(1);
    await elapse(5_000);
    expect(sink.tries).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
  });

  test("does not end early: it waits for a write that is under way, and for its own items", async () => {
    const { batcher, sink, add } = setUp();
    sink.gate = Promise.withResolvers();
    add(50);
    await turn();
    add(1);
    let result: FlushResult | undefined;
    void batcher.flush().then((r) => (result = r));
    await turn(3);
    expect(result).toBeUndefined();
    sink.gate.resolve();
    await turn(3);
    expect(result).toEqual(ALL_WRITTEN);
    expect(sink.sizes).toEqual([50, 1]);
  });

  test("shares the work of parallel calls, each answered when its own items are stored", async () => {
    const { batcher, sink, add } = setUp();
    const answers: string[] = [];
    const flush = (name: string) =>
      batcher
        .flush()
        .then(({ outcome }) => answers.push(`${name} ${outcome} ${sink.stored.length}`));
    sink.gate = Promise.withResolvers();
    add(3);
    const first = [flush("a"), flush("b")];
    await turn();
    add(2);
    const later = flush("c");
    sink.gate.resolve();
    await Promise.all([...first, later]);
    expect(answers).toEqual(["a written 3", "b written 3", "c written 5"]);
    expect(sink.sizes).toEqual([3, 2]);
  });

  test("never loops while items keep coming", async () => {
    const { batcher, sink, add } = setUp();
    sink.onWritten = () => add(1);
    add(1);
    expect(await batcher.flush()).toEqual({ outcome: "written", remaining: 1 });
    await turn(10);
    expect(sink.sizes).toEqual([1]);
  });

  test("is answered though full batches keep coming", async () => {
    const { batcher, sink, add } = setUp();
    sink.onWritten = () => {
      if (sink.tries.length < 100) add(50);
    };
    add(50);
    expect(await batcher.flush()).toEqual({ outcome: "written", remaining: 50 });
    await turn(100);
    expect(sink.sizes).toEqual(Array(100).fill(50));
  });

  test("says why the write failed and how many items wait", async () => {
    const { batcher, sink, add } = setUp();
    sink.error = DOWN;
    add(60);
    expect(await batcher.flush()).toEqual({ outcome: "failed", remaining: 60, error: DOWN });
    expect(sink.sizes).toEqual([50]);
  });

  test("takes a write that returns or throws without a promise", async () => {
    const observer = new Sink();
    let isDown = true;
    const { batcher, add } = setUp({
      observer,
      write: () => {
        if (isDown) throw DOWN;
        return [];
      },
    });
    add(3);
    expect(await batcher.flush()).toMatchObject({ outcome: "failed" });
    isDown = false;
    expect(await batcher.flush()).toEqual(ALL_WRITTEN);
    expect(observer.stored).toEqual([0, 1, 2]);
  });
});

describe("one write at a time", () => {
  test("however many batches, flushes and intervals fall into it", async () => {
    const { batcher, sink, add } = setUp();
    sink.gate = Promise.withResolvers();
    add(200);
    await turn();
    const flushed = [batcher.flush(), batcher.flush()];
    add(50);
    await elapse(60_000, 5_000);
    const closed = batcher.close(1_000);
    await turn(3);
    expect(sink.tries).toEqual([range(50)]);
    sink.gate.resolve();
    await Promise.all([...flushed, closed]);
    expect(sink.sizes).toEqual([50, 50, 50, 50, 50]);
    expect(sink.stored).toEqual(range(250));
  });
});

describe("a write that fails", () => {
  test("is tried again by the clock, from the front and in order, and then all the rest", async () => {
    const { batcher, sink, add } = setUp({ batchSize: 2 });
    sink.error = DOWN;
    add(5);
    await turn();
    expect(sink.tries).toEqual([[0, 1]]);
    sink.error = undefined;
    await elapse(100);
    await turn(3);
    expect(sink.tries).toEqual([[0, 1], [0, 1], [2, 3], [4]]);
    expect(sink.stored).toEqual([0, 1, 2, 3, 4]);
    expect([batcher.queued, batcher.retries]).toEqual([0, 1]);
  });

  test.each([
    ["the shortest", 0, [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000]],
    ["the longest", 1, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]],
  ])("is tried again after growing pauses, capped at 30 s: %s", async (_name, random, pauses) => {
    spyOn(Math, "random").mockReturnValue(random);
    const { sink, add } = setUp();
    sink.error = DOWN;
    add(50);
    await turn();
    for (const [i, pause] of pauses.entries()) {
      expect(sink.pauses).toEqual(pauses.slice(0, i + 1));
      jest.advanceTimersByTime(pause - 1);
      expect(sink.tries).toHaveLength(i + 1);
      jest.advanceTimersByTime(1);
      expect(sink.tries).toHaveLength(i + 2);
      await turn();
    }
  });

  test("starts again with a short pause after a success", async () => {
    const { batcher, sink, add } = setUp();
    sink.error = DOWN;
    add(1);
    for (let i = 0; i < 6; i++) await batcher.flush();
    expect(sink.pauses.at(-1)).toBeGreaterThan(1_000);
    sink.error = undefined;
    await batcher.flush();
    sink.error = DOWN;
    add(1);
    await batcher.flush();
    expect(sink.pauses.at(-1)).toBeLessThanOrEqual(100);
  });

  test("is not tried again for each further item", async () => {
    const { sink, add } = setUp();
    sink.error = DOWN;
    add(50);
    await turn();
    for (let i = 0; i < 200; i++) {
      add(1);
      await turn();
    }
    expect(sink.tries).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(1);
  });

  test("is tried again in time, however many items come in the pause", async () => {
    spyOn(Math, "random").mockReturnValue(1);
    const { sink, add } = setUp();
    sink.error = DOWN;
    add(50);
    await turn();
    for (let i = 0; i < 10; i++) {
      add(1);
      await elapse(10);
    }
    expect(sink.tries).toHaveLength(2);
  });

  test("is tried a bounded number of times in ten minutes, and goes on after them", async () => {
    const { sink, add } = setUp();
    sink.error = DOWN;
    add(50);
    await elapse(600_000, 1_000);
    // Nine tries while the pause grows, then one every 15 to 30 s.
    expect(sink.tries.length).toBeWithin(9 + 18, 11 + 40);
    sink.error = undefined;
    await elapse(30_000, 1_000);
    expect(sink.stored).toEqual(range(50));
  });

  test("is tried at once by a flush() in the pause", async () => {
    const { batcher, sink, add } = setUp();
    sink.error = DOWN;
    add(50);
    await elapse(60_000, 1_000);
    sink.error = undefined;
    expect(await batcher.flush()).toEqual(ALL_WRITTEN);
    expect(sink.stored).toEqual(range(50));
    expect(jest.getTimerCount()).toBe(0);
  });

  test("answers a flush() from inside `observer.failed` instead of being tried in a loop", async () => {
    const { batcher, sink, add } = setUp();
    const answers: FlushResult[] = [];
    sink.onFailed = () => {
      void batcher.flush().then((answer) => answers.push(answer));
    };
    sink.error = DOWN;
    add(3);
    await batcher.flush();
    await turn(20);
    expect(sink.tries).toHaveLength(1);
    expect(answers).toEqual([{ outcome: "failed", remaining: 3, error: DOWN }]);
  });
});

describe("an item that the write sets aside", () => {
  test("is reported, and the others are settled", async () => {
    const { batcher, sink, add } = setUp();
    sink.poison.add(7).add(49);
    add(50);
    expect(await batcher.flush()).toEqual(ALL_WRITTEN);
    expect(sink.rejections).toEqual([
      { index: 7, error: POISONED },
      { index: 49, error: POISONED },
    ]);
    expect(sink.stored).toEqual(range(49).filter((item) => item !== 7));
    expect(sink.tries).toHaveLength(1);
  });
});

describe("close()", () => {
  test("writes what waits and leaves no timer", async () => {
    const { batcher, sink, add } = setUp();
    add(70);
    expect(await batcher.close(1_500)).toEqual(ALL_WRITTEN);
    expect(sink.sizes).toEqual([50, 20]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test("writes nothing when nothing waits", async () => {
    const { batcher, sink } = setUp();
    expect(await batcher.close(1_500)).toEqual(ALL_WRITTEN);
    expect(sink.tries).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test("is one promise for all who call it, before it is done and after", async () => {
    const { batcher, sink, add } = setUp();
    add(3);
    const first = batcher.close(1_500, [100]);
    expect(batcher.close(1, [101])).toBe(first);
    await first;
    expect(batcher.close(1, [102])).toBe(first);
    expect(sink.stored).toEqual([0, 1, 2, 100]);
  });

  test("is the same promise, and resolves, when called from inside `observer.failed`", async () => {
    const sink = new Sink();
    const { batcher, add } = setUp({
      observer: sink,
      write: () => {
        throw DOWN;
      },
    });
    const inner: Promise<FlushResult>[] = [];
    sink.onFailed = () => {
      inner.push(batcher.close(300));
    };
    add(1);
    const outer = batcher.close(300);
    let result: FlushResult | undefined;
    void outer.then((r) => (result = r));
    await elapse(400);
    expect(result).toEqual({ outcome: "timed_out", remaining: 1 });
    expect(inner.every((promise) => promise === outer)).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });

  test("refuses items from its first moment on, even from inside the write it causes", async () => {
    const accepted: boolean[] = [];
    const { batcher, add } = setUp({
      write: () => {
        accepted.push(batcher.add(100));
        return [];
      },
    });
    add(3);
    const results: FlushResult[] = [];
    void batcher.close(1_500).then((result) => results.push(result));
    accepted.push(batcher.add(101));
    await turn(2);
    accepted.push(batcher.add(102));
    expect(accepted).toEqual([false, false, false]);
    expect(results).toEqual([ALL_WRITTEN]);
    expect([batcher.accepted, batcher.isClosed]).toEqual([3, true]);
  });

  test("takes one last item though the queue is full", async () => {
    const { batcher, sink, add } = setUp({ batchSize: 2, maxQueueSize: 2 });
    add(5);
    expect(await batcher.close(1_500, [100])).toEqual(ALL_WRITTEN);
    expect(sink.tries).toEqual([[0, 1], [100]]);
  });

  test("wakes a pause between two tries", async () => {
    const { batcher, sink, add } = setUp();
    sink.error = DOWN;
    add(50);
    await elapse(60_000, 1_000);
    sink.error = undefined;
    expect(await batcher.close(1_500)).toEqual(ALL_WRITTEN);
    expect(sink.stored).toEqual(range(50));
  });

  test("tries again and again within its time", async () => {
    const { batcher, sink, add } = setUp();
    sink.error = DOWN;
    add(3);
    const closed = batcher.close(1_500);
    await elapse(1_300, 10);
    expect(sink.tries.length).toBeWithin(12, 30);
    sink.error = undefined;
    await elapse(150, 10);
    expect(await closed).toEqual(ALL_WRITTEN);
    expect(sink.stored).toEqual([0, 1, 2]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test("gives up at its time, says how many are left, and tries no more", async () => {
    const { batcher, sink, add } = setUp();
    sink.error = DOWN;
    add(7);
    const closed = batcher.close(1_500);
    await elapse(1_500, 100);
    expect(await closed).toEqual({ outcome: "timed_out", remaining: 7 });
    expect(sink.givenUp).toEqual(range(7));
    expect([batcher.accepted, batcher.queued]).toEqual([7, 0]);
    const { length } = sink.tries;
    await elapse(60_000, 1_000);
    expect(sink.tries).toHaveLength(length);
    expect(jest.getTimerCount()).toBe(0);
    expect(await batcher.flush()).toEqual(ALL_WRITTEN);
  });

  test("answers a flush() that waits when it gives up", async () => {
    const { batcher, sink, add } = setUp();
    sink.gate = Promise.withResolvers();
    add(3);
    const flushed = batcher.flush();
    const closed = batcher.close(0);
    await elapse(10, 1);
    expect(await flushed).toEqual({ outcome: "timed_out", remaining: 3 });
    expect(await closed).toEqual({ outcome: "timed_out", remaining: 3 });
  });

  describe("during a write that hangs", () => {
    test("gives up in time what is not being written", async () => {
      const { batcher, sink, result } = await expired();
      expect(result).toEqual({ outcome: "timed_out", remaining: 60 });
      expect(sink.givenUp).toEqual(range(10, 50));
      expect([batcher.accepted, batcher.queued]).toEqual([60, 50]);
      expect(jest.getTimerCount()).toBe(0);
    });

    test("counts the write that succeeds later as written", async () => {
      const { batcher, sink, gate } = await expired();
      gate.resolve();
      await turn(2);
      expect(sink.stored).toEqual(range(50));
      expect(sink.givenUp).toEqual(range(10, 50));
      expect([batcher.accepted, batcher.queued]).toEqual([60, 0]);
    });

    test("gives the batch up when the write fails later, without another try", async () => {
      const { batcher, sink, gate } = await expired();
      gate.reject(DOWN);
      await elapse(60_000, 1_000);
      expect(sink.stored).toEqual([]);
      expect(sink.givenUp.toSorted((a, b) => a - b)).toEqual(range(60));
      expect(sink.tries).toHaveLength(1);
      expect([batcher.accepted, batcher.queued]).toEqual([60, 0]);
      expect(jest.getTimerCount()).toBe(0);
    });

    test("lets a later flush() know at once that there is no more time", async () => {
      const { batcher } = await expired();
      let result: FlushResult | undefined;
      void batcher.flush().then((r) => (result = r));
      await turn(3);
      expect(result).toEqual({ outcome: "timed_out", remaining: 50 });
    });
  });

  test("keeps the process alive until it is done", async () => {
    const { stdout, stderr, exitCode } = await runScript(`
      import { Batcher } from ${specifier("writing/batcher")};
      let tries = 0;
      const write = () => {
        if (++tries < 3) throw new Error("down");
        return [];
      };
      const observer = { written() {}, failed() {}, gaveUp() {} };
      const options = { write, observer, batchSize: 50, flushIntervalMs: 60_000, maxQueueSize: 10 };
      const batcher = new Batcher(options);
      batcher.add(1);
      batcher.close(30_000).then(({ outcome }) => console.log(outcome, tries));
    `);
    expect({ stdout, stderr, exitCode }).toEqual({
      stdout: "written 3\n",
      stderr: "",
      exitCode: 0,
    });
  });
});

describe("any interleaving", () => {
  const OUTCOMES = [
    "stores",
    "throws",
    "rejects",
    "sets some aside",
    "stores late",
    "fails late",
  ] as const;
  type Outcome = (typeof OUTCOMES)[number];

  const action = fc.oneof(
    { weight: 8, arbitrary: fc.record({ add: fc.integer({ min: 1, max: 9 }) }) },
    { weight: 3, arbitrary: fc.record({ elapse: fc.constantFrom(1, 60, 400, 5_000, 30_000) }) },
    { weight: 3, arbitrary: fc.constant("turn" as const) },
    { weight: 2, arbitrary: fc.constant("flush" as const) },
    { weight: 1, arbitrary: fc.record({ close: fc.constantFrom(0, 150, 2_000) }) },
  );

  const history = fc.record({
    batchSize: fc.integer({ min: 1, max: 6 }),
    maxBatchSize: fc.integer({ min: 1, max: 12 }),
    maxQueueSize: fc.integer({ min: 6, max: 25 }),
    maxBatchBytes: fc.integer({ min: 1, max: 60 }),
    maxQueueBytes: fc.integer({ min: 1, max: 200 }),
    /** The size of each item, over and over. */
    sizes: fc.array(fc.nat(30), { minLength: 1, maxLength: 7 }),
    /** What becomes of each write, over and over until the end. */
    outcomes: fc.array(fc.constantFrom(...OUTCOMES), { minLength: 1, maxLength: 12 }),
    actions: fc.array(action, { maxLength: 50 }),
    end: fc.constantFrom("the clock", "close"),
  });

  /** A sink that behaves as it was told until it is mended, and remembers the worst it has seen. */
  function scriptedSink(outcomes: readonly Outcome[]) {
    const seen = {
      inFlight: 0,
      mostInFlight: 0,
      longestBatch: 0,
      shortestBatch: Number.POSITIVE_INFINITY,
    };
    const stored: number[] = [];
    const rejected: number[] = [];
    const givenUp: number[] = [];
    let writes = 0;
    let isMended = false;

    async function settle(batch: readonly number[], outcome: Outcome) {
      if (outcome.endsWith("late")) await new Promise((resolve) => setTimeout(resolve, 700));
      if (outcome === "rejects" || outcome === "fails late") throw DOWN;
      const aside = batch.filter((item) => outcome === "sets some aside" && item % 3 === 0);
      stored.push(...batch.filter((item) => !aside.includes(item)));
      rejected.push(...aside);
      return aside.map((item) => ({ index: batch.indexOf(item), error: POISONED }));
    }

    return {
      seen,
      stored,
      rejected,
      givenUp,
      mend: () => (isMended = true),
      write: (batch: readonly number[]) => {
        const outcome = isMended ? "stores" : (outcomes[writes++ % outcomes.length] ?? "stores");
        seen.longestBatch = Math.max(seen.longestBatch, batch.length);
        seen.shortestBatch = Math.min(seen.shortestBatch, batch.length);
        seen.mostInFlight = Math.max(seen.mostInFlight, seen.inFlight + 1);
        if (outcome === "throws") throw DOWN;
        seen.inFlight += 1;
        return settle(batch, outcome).finally(() => (seen.inFlight -= 1));
      },
      settled: 0,
      written(batch: readonly number[]) {
        this.settled += batch.length;
      },
      failed: () => undefined,
      gaveUp(items: readonly number[]) {
        this.settled += items.length;
        givenUp.push(...items);
      },
    };
  }

  test("stores each accepted item exactly once, in order, or reports it", async () => {
    await fc.assert(
      fc.asyncProperty(history, async ({ sizes, outcomes, actions, end, ...limits }) => {
        const { maxQueueSize, maxQueueBytes } = limits;
        const sizeOf = (item: number) => sizes[item % sizes.length] ?? 0;
        const total = (items: readonly number[]) =>
          items.reduce((sum, item) => sum + sizeOf(item), 0);
        const sink = scriptedSink(outcomes);
        const batcher = new Batcher<number>({
          ...limits,
          write: (batch) => {
            expect(batch.length).toBeLessThanOrEqual(limits.maxBatchSize);
            if (batch.length > 1) expect(total(batch)).toBeLessThanOrEqual(limits.maxBatchBytes);
            return sink.write(batch);
          },
          observer: sink,
          sizeOf,
          flushIntervalMs: 5_000,
        });
        let next = 0;
        let isOpen = true;
        let asked = 0;
        const answers: string[] = [];

        const ask = (answer: Promise<FlushResult>) => {
          const target = batcher.accepted;
          asked += 1;
          void answer.then(({ outcome }) =>
            answers.push(outcome === "written" && sink.settled < target ? "too early" : outcome),
          );
        };
        const close = (timeoutMs: number) => {
          const last = isOpen ? [next++] : [];
          isOpen = false;
          ask(batcher.close(timeoutMs, last));
        };

        for (const step of actions) {
          if (step === "turn") await turn();
          else if (step === "flush") ask(batcher.flush());
          else if ("elapse" in step) await elapse(step.elapse, Math.max(1, step.elapse / 5));
          else if ("close" in step) close(step.close);
          else {
            for (let i = 0; i < step.add; i++) {
              const hasRoom =
                isOpen && batcher.queued < maxQueueSize && total(batcher.waiting) < maxQueueBytes;
              expect(batcher.add(next)).toBe(hasRoom);
              if (hasRoom) next += 1;
            }
          }
          expect(batcher.queued).toBeLessThanOrEqual(isOpen ? maxQueueSize : maxQueueSize + 1);
          expect(batcher.accepted).toBe(sink.settled + batcher.queued);
        }

        // From here on nothing happens but time: nothing that was accepted may need another push.
        sink.mend();
        if (end === "close") close(10_000);
        await elapse(40_000, 500);

        expect([batcher.accepted, batcher.queued]).toEqual([next, 0]);
        const all = [...sink.stored, ...sink.rejected, ...sink.givenUp];
        expect(all.toSorted((a, b) => a - b)).toEqual(range(next));
        for (const list of [sink.stored, sink.rejected]) {
          expect(list).toEqual(list.toSorted((a, b) => a - b));
        }
        if (isOpen) expect(sink.givenUp).toEqual([]);
        expect(answers).toHaveLength(asked);
        expect(answers).not.toContain("too early");
        if (next > 0) {
          expect(sink.seen).toMatchObject({ inFlight: 0, mostInFlight: 1 });
          expect(sink.seen.shortestBatch).toBeGreaterThan(0);
          expect(sink.seen.longestBatch).toBeLessThanOrEqual(limits.maxBatchSize);
        }
        expect(jest.getTimerCount()).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});
