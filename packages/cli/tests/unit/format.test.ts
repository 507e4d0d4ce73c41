import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  change,
  changeOfShare,
  clockTime,
  duration,
  isoTime,
  percent,
  shortTime,
  show,
  sparkline,
} from "../../src/output/format.ts";

const AT = Date.UTC(2026, 10, 24, 10, 46, 3, 120);

test.each([
  [0, "0.00 ms"],
  [0.042, "0.04 ms"],
  [0.994, "0.99 ms"],
  [0.996, "1.0 ms"],
  [9.99, "10.0 ms"],
  [9.996, "10 ms"],
  [312.4, "312 ms"],
  [999.6, "1.00 s"],
  [1_250, "1.25 s"],
  [59_940, "59.9 s"],
  [60_000, "1 min 0 s"],
  [125_400, "2 min 5 s"],
  [3_599_600, "1 h 0 min"],
  [12_000_000, "3 h 20 min"],
  [200_000_000, "2 d 7 h"],
  [8e13, "925,925 d 22 h"],
  [1.7e308, ">999,999 d"],
  [Number.POSITIVE_INFINITY, ">999,999 d"],
  [-1_250, "−1.25 s"],
  [-1.7e308, "−>999,999 d"],
  [Number.NaN, "–"],
])("a duration of %d ms is %s", (ms, expected) => {
  expect(duration(ms)).toBe(expected);
});

test.each([
  [0, "0 %"],
  [0.00001, "<0.1 %"],
  [0.0412, "4.1 %"],
  [0.0996, "10 %"],
  [1, "100 %"],
  [1e300, ">999,999 %"],
  [Number.NaN, "–"],
])("a share of %d is %s", (share, expected) => {
  expect(percent(share)).toBe(expected);
});

test.each([
  [999, "bytes", "999 B"],
  [1_500, "bytes", "1.5 kB"],
  [999_600, "bytes", "1.0 MB"],
  [120_000_000, "bytes", "120 MB"],
  [5e15, "bytes", "5.0 PB"],
  [950, "tokens", "950"],
  [12_300, "tokens", "12.3k"],
  [1_234_567, "count", "1,234,567"],
  [2 ** 53 - 1, "count", "9,007,199,254,740,991"],
  [2 ** 63, "count", "9.2E"],
  [1e300, "count", ">999E"],
  [-1_234, "count", "−1,234"],
  [1e300, "bytes", ">999 EB"],
  [-1_500, "bytes", "−1.5 kB"],
  [Number.NaN, "tokens", "–"],
  [9_223_372_036_854_775_807n, "number", "9223372036854775807"],
  [1e300, "time", "–"],
  [1_234.5, "number", "1234.5"],
  [AT, "time", "Nov 24 11:46"],
  [null, "ms", "–"],
  ["a\u001B[31m\nb\u0007", "text", "a b"],
  ["  █", "bar", "  █"],
] as const)("%p as %s is shown as %s", (value, kind, expected) => {
  expect(show(value, kind, "Europe/Berlin")).toBe(expected);
});

test("times are told in the zone", () => {
  expect(shortTime(AT, "UTC")).toBe("Nov 24 10:46");
  expect(isoTime(AT, "Asia/Kolkata")).toBe("2026-11-24T16:16:03.120+05:30");
});

describe("a change", () => {
  test.each([
    [112, 100, "+12 %"],
    [97, 100, "−3 %"],
    [100.1, 100, "±0 %"],
    [5, 0, "new"],
    [0, 0, "±0 %"],
  ])("from %d to %d is %s", (now, before, expected) => {
    expect(change(now, before)).toBe(expected);
  });

  test.each([
    [0.053, 0.05, "+0.3 pt"],
    [0.05, 0.25, "−20 pt"],
    [0.05, 0.05, "±0 pt"],
  ])("of a share from %d to %d is %s", (now, before, expected) => {
    expect(changeOfShare(now, before)).toBe(expected);
  });
});

test("a sparkline shows little as something, and nothing as nothing", () => {
  expect(sparkline([0, 1, 50, 100])).toBe(" ▁▄█");
  expect(sparkline([0, 0])).toBe("  ");
  expect(sparkline([])).toBe("");
});

describe("any number", () => {
  const NUMBERS = fc.oneof(
    fc.double(),
    fc.double({ min: 0, noNaN: true }),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(Number),
  );
  const FORMATTERS: Record<string, (value: number, other: number) => string> = {
    duration,
    percent,
    change,
    changeOfShare,
    count: (value) => show(value, "count", "UTC"),
    bytes: (value) => show(value, "bytes", "UTC"),
    tokens: (value) => show(value, "tokens", "UTC"),
    shortTime: (value) => shortTime(value, "UTC"),
    clockTime: (value) => clockTime(value, "UTC"),
    isoTime: (value) => isoTime(value, "UTC"),
  };

  test.each(Object.keys(FORMATTERS))("is short as a %s, and has no exponent", (name) => {
    fc.assert(
      fc.property(NUMBERS, NUMBERS, (value, other) => {
        const text = FORMATTERS[name]?.(value, other) ?? "";
        expect(text.length).toBeLessThanOrEqual(32);
        expect(text).not.toMatch(/\de[+-]?\d|NaN|Infinity|undefined/);
      }),
    );
  });

  test("makes a bar of one column", () => {
    fc.assert(
      fc.property(fc.array(NUMBERS, { maxLength: 60 }), (values) => {
        expect(sparkline(values)).toHaveLength(values.length);
      }),
    );
  });
});
