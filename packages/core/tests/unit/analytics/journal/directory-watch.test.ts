import { afterEach, expect, setSystemTime, test } from "bun:test";
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { DirectoryWatch } from "../../../../src/analytics/journal/directory-watch.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

afterEach(() => setSystemTime());

/** A watch on a directory, and how often it had to look inside. */
function watched(directory: string) {
  const watch = new DirectoryWatch(directory);
  let looks = 0;
  const check = (isAsExpected = true) =>
    watch.check(() => {
      looks += 1;
      return isAsExpected;
    });
  return { watch, check, looks: () => looks };
}

test("a directory that did not change since a conclusive look is not looked into again", () => {
  using directory = temporaryDirectory();
  const { check, looks } = watched(directory.path);
  // A moment after a change, a second change could have the same time stamp.
  expect([check(), check()]).toEqual([true, true]);
  expect(looks()).toBe(2);
  setSystemTime(Date.now() + 1_000);
  for (let i = 0; i < 5; i++) expect(check()).toBe(true);
  expect(looks()).toBe(3);
});

test("a new or removed file is noticed", () => {
  using directory = temporaryDirectory();
  const { check, looks } = watched(directory.path);
  setSystemTime(Date.now() + 1_000);
  check();
  for (const step of [
    () => writeFileSync(directory.file("a"), ""),
    () => rmSync(directory.file("a")),
  ]) {
    const before = looks();
    afterTick(directory.path, step);
    expect(check()).toBe(true);
    expect(looks()).toBe(before + 1);
  }
});

/** Changes a directory after the clock of its file system has moved on. */
function afterTick(directory: string, step: () => void): void {
  const changedAt = statSync(directory).ctimeMs;
  const clock = join(directory, "..", `${basename(directory)}.clock`);
  do writeFileSync(clock, "");
  while (statSync(clock).ctimeMs === changedAt);
  rmSync(clock);
  step();
}

test("what is not as expected is looked at each time, and so is a directory that is missing", () => {
  using directory = temporaryDirectory();
  const path = directory.file("journal");
  const { check, looks } = watched(path);
  setSystemTime(Date.now() + 1_000);
  expect([check(false), check(false)]).toEqual([false, false]);
  mkdirSync(path);
  setSystemTime(Date.now() + 1_000);
  expect([check(false), check(false)]).toEqual([false, false]);
  expect(looks()).toBe(4);
});

test("under load a check is due about once per millisecond", () => {
  using directory = temporaryDirectory();
  const { watch } = watched(directory.path);
  const due = Array.from({ length: 10_000 }, () => watch.isDue()).filter(Boolean).length;
  expect(due).toBeGreaterThanOrEqual(64);
  expect(due).toBeLessThan(5_000);
});
