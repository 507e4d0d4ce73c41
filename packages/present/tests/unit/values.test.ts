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
} from "../../src/index.ts";

const AT = Date.UTC(2026, 10, 24, 10, 46, 3, 120);

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
