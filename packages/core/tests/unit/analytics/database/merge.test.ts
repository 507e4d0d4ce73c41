import { describe, expect, test } from "bun:test";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { Importer } from "../../../../src/analytics/database/importer.ts";
import { mergeAnalyticsDb } from "../../../../src/analytics/database/merge.ts";
import { T0 } from "../../../support/ledger.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

/** A file with calls of one session, made and closed. */
function fileWith(
  path: string,
  calls: readonly string[],
  sessionId: string,
  endedAt?: number,
): void {
  using db = createAnalyticsDb(path);
  const importer = new Importer(db);
  const end = endedAt === undefined ? {} : { endedAt };
  importer.toolDefinition(
    { hash: "h", toolName: "a", definition: {}, bytes: 2, tokens: 1, tokenMethod: "test" },
    T0 + calls.length,
  );
  importer.session(sessionId, { startedAt: T0, definitionHashes: ["h"], ...end });
  for (const id of calls) {
    const isRunning = id.startsWith("running");
    importer.toolCall({
      id: id.replace(/^running-/, ""),
      toolName: "a",
      sessionId,
      startedAt: T0,
      durationMs: 1,
      status: isRunning ? "abandoned" : "success",
    });
  }
  importer.commit();
}

describe("mergeAnalyticsDb", () => {
  test("takes in calls, sessions and definitions, each once, however often", async () => {
    using directory = temporaryDirectory();
    fileWith(directory.file("ours.db"), ["1", "2"], "shared");
    fileWith(directory.file("theirs.db"), ["2", "3", "4"], "shared", T0 + 50);
    using db = createAnalyticsDb(directory.file("ours.db"));
    expect(await mergeAnalyticsDb(db, directory.file("theirs.db"))).toEqual({
      toolCalls: 2,
      sessions: 0,
      toolDefinitions: 0,
    });
    expect(await mergeAnalyticsDb(db, directory.file("theirs.db"))).toMatchObject({ toolCalls: 0 });
    const rows = (sql: string) => db.$client.query(sql).values();
    expect(rows("select id from tool_calls order by id")).toEqual([["1"], ["2"], ["3"], ["4"]]);
    // The end that only the other file knew.
    expect(rows("select id, ended_at_ms from sessions")).toEqual([["shared", T0 + 50]]);
    expect(rows("select first_seen_at_ms, last_seen_at_ms from tool_definitions")).toEqual([
      [T0 + 2, T0 + 3],
    ]);
    expect(rows("select count(*) from session_definitions")).toEqual([[1]]);
    expect(rows("pragma foreign_key_check")).toEqual([]);
    expect(rows("pragma database_list")).toHaveLength(1);
  });

  test("learns how a call ended that was in flight, and forgets no end", async () => {
    using directory = temporaryDirectory();
    fileWith(directory.file("ours.db"), ["running-1", "2"], "s");
    fileWith(directory.file("theirs.db"), ["1", "running-2"], "s");
    using db = createAnalyticsDb(directory.file("ours.db"));
    await mergeAnalyticsDb(db, directory.file("theirs.db"));
    expect(db.$client.query("select id, status from tool_calls order by id").values()).toEqual([
      ["1", "success"],
      ["2", "success"],
    ]);
  });

  test("takes in more than one slice", async () => {
    using directory = temporaryDirectory();
    const ids = Array.from({ length: 4_500 }, (_, index) => `call-${index}`);
    fileWith(directory.file("theirs.db"), ids, "s");
    using db = createAnalyticsDb(directory.file("ours.db"));
    expect(await mergeAnalyticsDb(db, directory.file("theirs.db"))).toMatchObject({
      toolCalls: 4_500,
      sessions: 1,
    });
  });

  test("refuses what is no database of ours, and changes nothing", async () => {
    using directory = temporaryDirectory();
    await Bun.write(
      directory.file("text.db"),
      "no database at all, but long enough to look at".repeat(50),
    );
    using db = createAnalyticsDb(directory.file("ours.db"));
    expect(mergeAnalyticsDb(db, directory.file("text.db"))).rejects.toMatchObject({
      code: "not_a_database",
    });
    expect(mergeAnalyticsDb(db, directory.file("none.db"))).rejects.toMatchObject({
      code: "not_found",
    });
  });
});
