import { describe, expect, test } from "bun:test";
import {
  change,
  changeOfShare,
  duration,
  isoTime,
  percent,
  shortTime,
  show,
  sparkline,
} from "../../src/output/format.ts";
import { plain } from "../../src/output/safe.ts";

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
])("a duration of %d ms is %s", (ms, expected) => {
  expect(duration(ms)).toBe(expected);
});

test.each([
  [0, "0 %"],
  [0.00001, "<0.1 %"],
  [0.0412, "4.1 %"],
  [0.0996, "10 %"],
  [1, "100 %"],
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

test("what others wrote steers no terminal", () => {
  expect(plain("\u001B]0;title\u0007a\tb\r\n\u202Ec\u200D")).toBe("a b c");
});
