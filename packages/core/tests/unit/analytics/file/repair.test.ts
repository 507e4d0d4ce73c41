import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { FileWriter } from "../../../../src/analytics/writing/file-writer.ts";
import { journalDirectory, lockName } from "../../../../src/analytics/file/journal-directory.ts";
import { setDamagedAside } from "../../../../src/analytics/file/repair.ts";
import { call } from "../../../support/records.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

test("a backup that was copied over a file in use is not damaged, though the old log is beside it", async () => {
  using directory = temporaryDirectory();
  const [backup, file] = [directory.file("backup.db"), directory.file("a.db")];
  const other = new FileWriter(backup, "other", () => undefined);
  await other.write(Array.from({ length: 2_000 }, () => call({ toolName: "kept" })));
  other.close();

  createAnalyticsDb(file).close();
  mkdirSync(journalDirectory(file));
  // The note of a recorder without a lock is removed.
  writeFileSync(join(journalDirectory(file), lockName("recorder")), "");
  const writer = new FileWriter(file, "recorder", () => undefined);
  await writer.write(Array.from({ length: 200 }, () => call({ toolName: "overwritten" })));
  expect(Bun.spawnSync(["cp", backup, file]).exitCode).toBe(0);

  expect(setDamagedAside(file)).toBeUndefined();
  using client = new Database(file, { readonly: true });
  expect(client.query("pragma integrity_check").values()).toEqual([["ok"]]);
  expect(client.query("select count(*) from tool_calls").values()).toEqual([[2_000]]);
  writer.close();
});
