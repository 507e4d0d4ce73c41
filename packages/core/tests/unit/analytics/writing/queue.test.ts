import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Queue } from "../../../../src/analytics/writing/queue.ts";

function sized(maxQueueBytes = Infinity, maxQueueSize = 100) {
  return new Queue<number>({ maxQueueSize, maxQueueBytes, sizeOf: (item) => item });
}

describe("Queue", () => {
  test("is full at its number of items, and has room again after a removal", () => {
    const queue = new Queue<string>({ maxQueueSize: 2 });
    queue.push("a");
    expect(queue.isFull).toBe(false);
    queue.push("b");
    expect(queue.isFull).toBe(true);
    expect(queue.remove(0, 1)).toEqual(["a"]);
    expect(queue.isFull).toBe(false);
  });

  test("gives the bytes of removed items back", () => {
    const queue = sized(10);
    for (let round = 0; round < 5; round += 1) {
      queue.push(10);
      expect(queue.isFull).toBe(true);
      queue.remove(0, 1);
      expect(queue.isFull).toBe(false);
    }
  });

  test("returns an item that is larger than the limit of a batch, alone", () => {
    const queue = sized();
    for (const item of [50, 1, 1]) queue.push(item);
    expect(queue.first(10, 5)).toEqual([50]);
    queue.remove(0, 1);
    expect(queue.first(10, 5)).toEqual([1, 1]);
  });

  test("agrees with a plain list, whatever the sizes, the limits and the order of operations", () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant("push" as const), size: fc.nat(20) }),
      fc.record({ kind: fc.constant("remove" as const), start: fc.nat(3), count: fc.nat(4) }),
      fc.record({
        kind: fc.constant("first" as const),
        count: fc.integer({ min: 1, max: 6 }),
        bytes: fc.nat(40),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 60 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 60 }),
        (operations, maxSize, maxBytes) => {
          const queue = sized(maxBytes, maxSize);
          const model: number[] = [];
          let accepted = 0;
          let peak = 0;
          for (const step of operations) {
            if (step.kind === "push") {
              queue.push(step.size);
              model.push(step.size);
              accepted += 1;
              peak = Math.max(peak, model.length);
            } else if (step.kind === "remove") {
              expect(queue.remove(step.start, step.count)).toEqual(
                model.splice(step.start, step.count),
              );
            } else {
              const batch = queue.first(step.count, step.bytes);
              expect(batch).toEqual(model.slice(0, batch.length));
              expect(batch.length).toBeGreaterThanOrEqual(Math.min(1, model.length));
              expect(batch.length).toBeLessThanOrEqual(step.count);
              if (batch.length > 1) expect(total(batch)).toBeLessThanOrEqual(step.bytes);
              // The batch is as long as the limits allow.
              const longer = model.slice(0, batch.length + 1);
              if (longer.length > batch.length && batch.length < step.count)
                expect(total(longer)).toBeGreaterThan(step.bytes);
            }
            expect(queue.items).toEqual(model);
            expect(queue.isFull).toBe(model.length >= maxSize || total(model) >= maxBytes);
            expect([queue.accepted, queue.peak]).toEqual([accepted, peak]);
            expect(queue.removed).toBe(accepted - model.length);
          }
        },
      ),
    );
  });
});

function total(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}
