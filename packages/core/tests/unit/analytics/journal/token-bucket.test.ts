import { expect, spyOn, test } from "bun:test";
import { TokenBucket } from "../../../../src/analytics/journal/token-bucket.ts";

test("TokenBucket allows a burst after a rest, then its rate", () => {
  let milliseconds = 0;
  using _ = spyOn(Bun, "nanoseconds").mockImplementation(() => milliseconds * 1_000_000);
  const bucket = new TokenBucket(2, 3);
  const taken = () => {
    let count = 0;
    while (bucket.take()) count += 1;
    return count;
  };
  expect(taken()).toBe(3);
  milliseconds += 1;
  expect(taken()).toBe(2);
  milliseconds += 0.25;
  expect(taken()).toBe(0);
  milliseconds += 0.25;
  expect(taken()).toBe(1);
  milliseconds += 1_000;
  expect(taken()).toBe(3);
});
