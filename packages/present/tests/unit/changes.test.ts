import { describe, expect, test } from "bun:test";
import { change, changeOfShare } from "../../src/changes.ts";

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
