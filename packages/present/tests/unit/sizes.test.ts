import { describe, expect, test } from "bun:test";
import { InputError } from "../../src/input-error.ts";
import { bytes, parseSize } from "../../src/sizes.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_500, "1.5 kB"],
  [999_600, "1.0 MB"],
  [120_000_000, "120 MB"],
  [1e300, ">999 EB"],
])("%d bytes are %s", (count, expected) => {
  expect(bytes(count)).toBe(expected);
});

describe("parseSize", () => {
  test.each([
    ["5B", 5],
    ["500MB", 500_000_000],
    ["2 gb", 2_000_000_000],
    ["1.5kB", 1_500],
    ["64MiB", 67_108_864],
    ["1 KiB", 1_024],
    ["2GiB", 2_147_483_648],
  ])("%s", (text, expected) => {
    expect(parseSize(text)).toBe(expected);
  });

  test.each(["", "5", "MB", "-5MB", "5 bananas", "5M", "1e3MB"])("refuses %p", (text) => {
    expect(() => parseSize(text)).toThrow(InputError);
  });
});
