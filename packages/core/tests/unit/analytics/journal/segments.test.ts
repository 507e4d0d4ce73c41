import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { journalDirectory } from "../../../../src/analytics/file/journal-directory.ts";
import { listSegments } from "../../../../src/analytics/journal/segments.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

test("lists segments in the order they were written, beyond the ninth", () => {
  using directory = temporaryDirectory();
  const path = directory.file("a.db");
  mkdirSync(journalDirectory(path));
  const recorderId = crypto.randomUUID();
  for (const number of [11, 2, 10, 1, 9]) {
    writeFileSync(join(journalDirectory(path), `${recorderId}-${number}.jsonl`), "");
  }
  expect(listSegments(path).map(({ number }) => number)).toEqual([1, 2, 9, 10, 11]);
});
