import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { livingRecorders } from "../../../../src/analytics/database/reader.ts";
import { journalDirectory, lockName } from "../../../../src/analytics/file/journal-directory.ts";
import { FileLock } from "../../../../src/analytics/file/lock.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const OTHER_LOCKS = ["log.lock", "repair.lock", "recovery.lock", "open.lock", "any.lock"];

test("only a held lock of a recorder is a living recorder", () => {
  using directory = temporaryDirectory();
  const file = directory.file("a.db");
  const journal = journalDirectory(file);
  mkdirSync(journal);
  const [living, dead, crashed] = [Bun.randomUUIDv7(), Bun.randomUUIDv7(), Bun.randomUUIDv7()];
  writeFileSync(join(journal, lockName(dead)), "");
  writeFileSync(join(journal, `${crashed}-1.jsonl`), "");
  const held = [lockName(living), ...OTHER_LOCKS].map((name) =>
    FileLock.tryAcquire(join(journal, name)),
  );
  expect(livingRecorders(file)).toEqual([living]);
  held.shift()?.release();
  expect(livingRecorders(file)).toEqual([]);
  for (const lock of held) lock?.release();
});
