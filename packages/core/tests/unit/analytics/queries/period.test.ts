import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { bucketStarts, filterBefore } from "../../../../src/analytics/queries/period.ts";

const at = (text: string) => Date.parse(text);

/** The buckets of a period, in UTC unless a zone is given. */
function starts(since: string, until: string, zone = "UTC"): readonly string[] {
  return bucketStarts({ since: at(since), until: at(until) }, zone).map((ms) =>
    new Date(ms).toISOString().replace(/:00\.000Z$/, ""),
  );
}

describe("the buckets of a period", () => {
  test("are hours for up to 2 days", () => {
    expect(starts("2026-01-01T10:30Z", "2026-01-01T13:00Z")).toEqual([
      "2026-01-01T10:30",
      "2026-01-01T11:00",
      "2026-01-01T12:00",
    ]);
    expect(starts("2026-01-01T00:00Z", "2026-01-03T00:00Z")).toHaveLength(48);
  });

  test("are days of the time zone for up to 60 days, also those of 23 and 25 hours", () => {
    const buckets = starts("2026-03-28T12:00Z", "2026-03-31T12:00Z", "Europe/Berlin");
    expect(buckets).toEqual([
      "2026-03-28T12:00",
      "2026-03-28T23:00",
      "2026-03-29T22:00",
      "2026-03-30T22:00",
    ]);
  });

  test("are weeks from the first day, then months, then years", () => {
    expect(starts("2026-01-01T05:00Z", "2026-03-15T00:00Z").slice(0, 3)).toEqual([
      "2026-01-01T05:00",
      "2026-01-08T00:00",
      "2026-01-15T00:00",
    ]);
    expect(starts("2024-12-15T00:00Z", "2026-06-01T00:00Z").slice(0, 3)).toEqual([
      "2024-12-15T00:00",
      "2025-01-01T00:00",
      "2025-02-01T00:00",
    ]);
    expect(starts("2015-06-01T00:00Z", "2026-06-01T00:00Z").slice(0, 3)).toEqual([
      "2015-06-01T00:00",
      "2016-01-01T00:00",
      "2017-01-01T00:00",
    ]);
  });

  test("are at most 62, ascending, and lie in the period", () => {
    const ms = fc.integer({ min: at("0001-01-02"), max: at("9999-12-01") });
    const zone = fc.constantFrom("UTC", "Europe/Berlin", "Pacific/Apia", "America/St_Johns");
    fc.assert(
      fc.property(ms, fc.oneof(ms, fc.integer({ min: 0, max: 1e11 })), zone, (since, span, tz) => {
        const until = Math.min(since + Math.abs(span), at("9999-12-01"));
        const buckets = bucketStarts({ since, until }, tz);
        expect(buckets[0]).toBe(since);
        expect(buckets.length).toBeLessThanOrEqual(62);
        expect(buckets.every((start, i) => i === 0 || start > (buckets[i - 1] ?? start))).toBe(
          true,
        );
        expect(buckets.slice(1).every((start) => start < until)).toBe(true);
      }),
    );
  });

  test("are none without a beginning, and one for an empty period", () => {
    expect(bucketStarts({ since: null, until: 7 }, "UTC")).toEqual([]);
    expect(bucketStarts({ since: 9, until: 7 }, "UTC")).toEqual([9]);
  });
});

test("the period before has the same length and ends where the other begins", () => {
  expect(filterBefore({ since: 100, until: 130, tools: ["a"] }, 0)).toEqual({
    since: 70,
    until: 100,
    tools: ["a"],
  });
  expect(filterBefore({ since: 100 }, 150)).toEqual({ since: 50, until: 100 });
  expect(filterBefore({}, 150)).toBeUndefined();
  expect(filterBefore({ since: 200 }, 150)).toBeUndefined();
});
