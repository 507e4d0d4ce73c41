import { describe, expect, test } from "bun:test";
import { duration, parseDuration } from "../../src/durations.ts";
import { InputError } from "../../src/input-error.ts";

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

describe("parseDuration", () => {
  test.each([
    ["500ms", 500],
    ["1.5s", 1_500],
    ["30m", 1_800_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    ["2w", 1_209_600_000],
    ["0s", 0],
  ])("%s", (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  test.each(["", "7", "d", "7 d", "-7d", "7y", "1e3s", "1,5s", "1M", "7D"])(
    "refuses %p",
    (text) => {
      expect(() => parseDuration(text)).toThrow(InputError);
    },
  );
});
