import { expect, test } from "bun:test";
import { Random } from "../../src/demo/random.ts";

const COUNT = 20_000;

function samples<T>(take: (random: Random) => T, seed = 1): T[] {
  const random = new Random(seed);
  return Array.from({ length: COUNT }, () => take(random));
}

test("the same seed gives the same numbers, another one others", () => {
  const numbers = (seed: number) => samples((random) => random.next(), seed);
  expect(numbers(7)).toEqual(numbers(7));
  expect(numbers(7)).not.toEqual(numbers(8));
});

test("numbers are spread evenly over [0, 1)", () => {
  const counts = Array.from({ length: 10 }, () => 0);
  for (const number of samples((random) => random.next())) {
    const tenth = Math.floor(number * 10);
    counts[tenth] = (counts[tenth] ?? 0) + 1;
  }
  expect(counts).toHaveLength(10);
  for (const count of counts) expect(count).toBeWithin(COUNT / 10 - 200, COUNT / 10 + 200);
});

test("half of the log-normal numbers are below the median", () => {
  const below = samples((random) => random.logNormal(50, 1.2)).filter((each) => each < 50).length;
  expect(below).toBeWithin(COUNT / 2 - 300, COUNT / 2 + 300);
});

test("items are picked by their weight", () => {
  const picked = samples((random) =>
    random.pick([
      { name: "rare", weight: 1 },
      { name: "common", weight: 9 },
    ]),
  );
  const rare = picked.filter(({ name }) => name === "rare").length;
  expect(rare).toBeWithin(COUNT / 10 - 200, COUNT / 10 + 200);
});

test("UUIDs have their version and variant, and version 7 its time", () => {
  const random = new Random(1);
  expect(random.uuid()).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/);
  expect(random.uuidV7(0x0123456789ab)).toMatch(
    /^01234567-89ab-7[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/,
  );
});
