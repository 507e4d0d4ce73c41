import { describe, expect, jest, test } from "bun:test";
import * as fc from "fast-check";
import { Batcher, type FlushResult } from "../../../../src/analytics/writing/batcher.ts";
import { DOWN, POISONED, range, useFakeTime } from "../../../support/batcher.ts";
import { elapse, turn } from "../../../support/event-loop.ts";

useFakeTime();

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
