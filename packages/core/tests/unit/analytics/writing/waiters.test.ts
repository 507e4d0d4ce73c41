import { expect, test } from "bun:test";
import { Waiters } from "../../../../src/analytics/writing/waiters.ts";

/** Waiters for these targets, and the answers that they got so far. */
function waitersFor(...targets: number[]) {
  const waiters = new Waiters<string>();
  const answers: string[] = [];
  for (const target of targets)
    void waiters.add(target).then((result) => answers.push(`${target} ${result}`));
  return { waiters, answers };
}

test("a count resolves those whose target it reaches, in order, and no others", async () => {
  const { waiters, answers } = waitersFor(1, 2, 2, 3);
  waiters.reach(2, "written");
  await Promise.resolve();
  expect(answers).toEqual(["1 written", "2 written", "2 written"]);
  waiters.reach(2, "again");
  waiters.reach(7, "later");
  await Promise.resolve();
  expect(answers.slice(3)).toEqual(["3 later"]);
});

test("all can be resolved, each once", async () => {
  const { waiters, answers } = waitersFor(1, 2);
  waiters.resolveAll("failed");
  waiters.resolveAll("again");
  waiters.reach(9, "again");
  await Promise.resolve();
  expect(answers).toEqual(["1 failed", "2 failed"]);
});
