import { expect, test } from "bun:test";
import { sparkline } from "../../src/sparkline.ts";

test("a sparkline shows little as something, and nothing as nothing", () => {
  expect(sparkline([0, 1, 50, 100])).toBe(" ▁▄█");
  expect(sparkline([0, 0])).toBe("  ");
  expect(sparkline([])).toBe("");
});

test("more than 28 values are added up, equally many per bar", () => {
  expect(sparkline(Array.from({ length: 28 }, () => 1))).toBe("█".repeat(28));
  const pairs = [0, 8, 4, 0, ...Array.from({ length: 26 }, () => 0)];
  expect(sparkline(pairs)).toBe(`█▄${" ".repeat(13)}`);
  expect(sparkline([4, 0, ...Array.from({ length: 27 }, () => 0)])).toBe(`█${" ".repeat(14)}`);
  expect(sparkline(Array.from({ length: 60 }, (_, index) => (index < 3 ? 1 : 0)))).toBe(
    `█${" ".repeat(19)}`,
  );
});
