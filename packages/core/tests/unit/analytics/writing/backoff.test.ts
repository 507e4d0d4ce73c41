import { afterEach, expect, mock, spyOn, test } from "bun:test";
import { backoffMs } from "../../../../src/analytics/writing/backoff.ts";

afterEach(() => mock.restore());

const pauses = (random: number, maxMs?: number) => {
  spyOn(Math, "random").mockReturnValue(random);
  return [1, 2, 3, 8, 9, 10, 5_000].map((failures) => backoffMs(failures, maxMs));
};

test("the pause doubles with each failure, up to 30 s", () => {
  expect(pauses(1)).toEqual([100, 200, 400, 12_800, 25_600, 30_000, 30_000]);
});

test("half of it is random", () => {
  expect(pauses(0)).toEqual([50, 100, 200, 6_400, 12_800, 15_000, 15_000]);
});

test("the limit can be lower", () => {
  expect(pauses(1, 250)).toEqual([100, 200, 250, 250, 250, 250, 250]);
});
