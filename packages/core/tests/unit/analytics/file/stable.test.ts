import { expect, test } from "bun:test";
import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { untilStable, untilStableSync } from "../../../../src/analytics/file/stable.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

test("a copy that pauses in the middle is waited for", async () => {
  using directory = temporaryDirectory();
  const [backup, file] = [directory.file("backup.db"), directory.file("a.db")];
  createAnalyticsDb(backup).close();
  const content = readFileSync(backup);
  const half = content.length / 2;
  writeFileSync(file, content.subarray(0, half));
  const copying = (async () => {
    await Bun.sleep(300);
    appendFileSync(file, content.subarray(half));
    return readFileSync(file).length;
  })();
  expect(await untilStable(file)).toBe(true);
  expect(readFileSync(file)).toEqual(content);
  expect(await copying).toBe(content.length);
});

test("a file that nobody writes is stable, whole, cut off or missing", () => {
  using directory = temporaryDirectory();
  const file = directory.file("a.db");
  createAnalyticsDb(file).close();
  writeFileSync(directory.file("cut.db"), readFileSync(file).subarray(0, 200));
  copyFileSync(file, directory.file("copy.db"));
  for (const name of ["a.db", "cut.db", "copy.db", "missing.db"]) {
    expect(untilStableSync(directory.file(name))).toBe(true);
  }
});
