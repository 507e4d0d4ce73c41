import { expect, test } from "bun:test";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { Importer } from "../../../../src/analytics/database/importer.ts";
import { pruneAnalyticsDb } from "../../../../src/analytics/database/prune.ts";
import { prunable } from "../../../../src/analytics/queries/prunable.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const DAY_MS = 86_400_000;

test("removes what is too old, all of it, as prunable says, and makes the file smaller", () => {
  using directory = temporaryDirectory();
  using db = createAnalyticsDb(directory.file("a.db"));
  const importer = new Importer(db);
  const now = Date.now();
  for (let index = 0; index < 6_000; index += 1) {
    importer.toolCall({
      id: `call-${index}`,
      toolName: "a",
      startedAt: now - Math.floor((6_000 - 1 - index) / 100) * DAY_MS,
      durationMs: 1,
      attributes: { text: "x".repeat(400) },
    });
  }
  importer.commit();
  db.$client.run("pragma wal_checkpoint(truncate)");
  const before = Bun.file(directory.file("a.db")).size;
  // Half a day more: the clock goes on meanwhile.
  expect(prunable(db, { maxAgeDays: 29.5 }, now)).toMatchObject({ calls: 3_000, allCalls: 6_000 });
  pruneAnalyticsDb(db, { maxAgeDays: 29.5 });
  expect(db.$client.query("select count(*) from tool_calls").values()).toEqual([[3_000]]);
  expect(Bun.file(directory.file("a.db")).size).toBeLessThan(before * 0.7);
});

test("explains what the database says", () => {
  using directory = temporaryDirectory();
  const db = createAnalyticsDb(directory.file("a.db"));
  db.close();
  expect(() => pruneAnalyticsDb(db, { maxAgeDays: 1 })).toThrow(
    expect.objectContaining({ code: "closed" }),
  );
});
