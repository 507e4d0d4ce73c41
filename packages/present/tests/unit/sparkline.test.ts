import { expect, test } from "bun:test";
import { sparkline } from "../../src/sparkline.ts";

test("a sparkline shows little as something, and nothing as nothing", () => {
  expect(sparkline([0, 1, 50, 100])).toBe(" ▁▄█");
  expect(sparkline([0, 0])).toBe("  ");
  expect(sparkline([])).toBe("");
});
