import { describe, expect, test } from "bun:test";
import { InputError } from "../../src/input-error.ts";
import { parseShare, percent } from "../../src/shares.ts";

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

describe("parseShare", () => {
  test.each([
    ["2%", 0.02],
    ["0.5 %", 0.005],
    ["100%", 1],
    ["0.02", 0.02],
    ["0", 0],
  ])("%s", (text, expected) => {
    expect(parseShare(text)).toBe(expected);
  });

  test.each(["", "%", "2", "200%", "-1%", "2 percent", "1e-2"])("refuses %p", (text) => {
    expect(() => parseShare(text)).toThrow(InputError);
  });
});
