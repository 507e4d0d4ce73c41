import { describe, expect, jest, spyOn, test } from "bun:test";
import { type FlushResult } from "../../../../src/analytics/writing/batcher.ts";
import {
  DOWN,
  POISONED,
  ALL_WRITTEN,
  Sink,
  setUp,
  range,
  useFakeTime,
} from "../../../support/batcher.ts";
import { elapse, turn } from "../../../support/event-loop.ts";
import { runScript, specifier } from "../../../support/run-script.ts";

useFakeTime();

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

  test("is not delayed by a clock that is set back", () => {
    const { sink, add } = setUp();
    add(1);
    jest.setSystemTime(Date.now() - 3_600_000);
    jest.advanceTimersByTime(5_000);
    expect(sink.tries).toEqual([[0]]);
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
