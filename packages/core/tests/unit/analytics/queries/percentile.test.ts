import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Samples, percentileOf } from "../../../../src/analytics/queries/percentile.ts";

function samplesOf(values: readonly number[]): Samples {
  const samples = new Samples();
  for (const value of values) samples.add(value);
  return samples;
}

/** By the book: sort all, take the one at the rank. */
function nearestRank(values: readonly number[], percent: number): number | null {
  const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length)) - 1] ?? null;
}

describe("percentileOf", () => {
  test.each([
    [[], 50, null],
    [[7], 50, 7],
    [[7], 99, 7],
    [[15, 20, 35, 40, 50], 5, 15],
    [[15, 20, 35, 40, 50], 30, 20],
    [[15, 20, 35, 40, 50], 40, 20],
    [[15, 20, 35, 40, 50], 50, 35],
    [[15, 20, 35, 40, 50], 100, 50],
  ])("of %p at %d %% is %p", (values, percent, expected) => {
    expect(percentileOf([samplesOf(values)], percent)).toBe(expected);
  });

  test.each([
    ["neighbours, the lower one odd", 1 + Number.EPSILON, 1 + 2 * Number.EPSILON],
    ["the two smallest above 0", 5e-324, 1e-323],
    ["a number and infinity", 1, Number.POSITIVE_INFINITY],
    ["the two ends", -Number.MAX_VALUE, Number.MAX_VALUE],
  ])("finds each of two numbers: %s", (_, lower, upper) => {
    const all = [[lower, lower], [lower], [upper]].map(samplesOf);
    expect([25, 75, 76, 100].map((percent) => percentileOf(all, percent))).toEqual([
      lower,
      lower,
      upper,
      upper,
    ]);
  });

  test("over several samples is that of all their numbers", () => {
    const number = fc.oneof(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.double({ noNaN: true }),
      // Neighbours: numbers with no other between them.
      fc.nat({ max: 5 }).map((steps) => 1 + steps * Number.EPSILON),
      fc.constantFrom(0, 0.001, 1, 1, 2, 1e-300, 5e-324, 1e-323, 1e308, Number.POSITIVE_INFINITY),
    );
    fc.assert(
      fc.property(
        fc.array(fc.array(number, { maxLength: 40 }), { maxLength: 6 }),
        fc.constantFrom(0, 1, 50, 95, 99, 100),
        (groups, percent) => {
          const merged = percentileOf(groups.map(samplesOf), percent);
          // Adding 0 makes -0 a 0: among equal numbers, any one is right.
          const expected = nearestRank(groups.flat(), percent);
          expect(merged === null ? null : merged + 0).toBe(expected === null ? null : expected + 0);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("of more numbers than a chunk holds, also when more come after the first answer", () => {
    const values = Array.from({ length: 50_000 }, (_, index) => (index * 7_919) % 50_000);
    const samples = samplesOf(values);
    expect(percentileOf([samples], 95)).toBe(47_499);
    for (let more = 0; more < 50_000; more += 1) samples.add(100_000);
    expect(samples.length).toBe(100_000);
    expect(percentileOf([samples], 50)).toBe(49_999);
    expect(percentileOf([samples], 51)).toBe(100_000);
  });
});
