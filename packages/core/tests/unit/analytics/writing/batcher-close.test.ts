import { describe, expect, jest, test } from "bun:test";
import { type FlushResult } from "../../../../src/analytics/writing/batcher.ts";
import {
  DOWN,
  ALL_WRITTEN,
  Sink,
  setUp,
  expired,
  range,
  useFakeTime,
} from "../../../support/batcher.ts";
import { elapse, turn } from "../../../support/event-loop.ts";
import { runScript, specifier } from "../../../support/run-script.ts";

useFakeTime();

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
