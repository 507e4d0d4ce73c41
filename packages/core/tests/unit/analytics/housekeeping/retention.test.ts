import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import {
  type AnalyticsDb,
  createAnalyticsDb,
} from "../../../../src/analytics/database/database.ts";
import {
  Retention,
  type RetentionPolicy,
} from "../../../../src/analytics/housekeeping/retention.ts";
import { ConnectionWriter } from "../../../../src/analytics/writing/connection-writer.ts";
import { call, end, start } from "../../../support/records.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const DAY_MS = 86_400_000;
const NOW = 1_000 * DAY_MS;

function fill(db: AnalyticsDb, count: number, startedAt: (index: number) => number): void {
  const writer = new ConnectionWriter(db.$client, db.path, "recorder");
  writer.commit(
    Array.from({ length: count }, (_, index) =>
      call({ startedAt: startedAt(index), errorMessage: "x".repeat(900) }),
    ),
  );
}

/** Runs slices to the end; how many there were. */
function enforce(db: AnalyticsDb, policy: RetentionPolicy, now = NOW): number {
  const retention = new Retention(policy);
  let slices = 1;
  while (retention.slice(db.$client, now)) slices += 1;
  return slices;
}

const count = (db: AnalyticsDb, table = "tool_calls") =>
  Number(db.$client.query(`select count(*) from ${table}`).values()[0]?.[0]);

describe("Retention", () => {
  test("removes nothing without a limit", () => {
    using db = createAnalyticsDb(":memory:");
    fill(db, 10, () => 0);
    expect(enforce(db, {})).toBe(1);
    expect(count(db)).toBe(10);
  });

  test("removes calls that are older, in slices, and keeps the others", () => {
    using db = createAnalyticsDb(":memory:");
    fill(db, 1_200, (index) => NOW - (index < 1_100 ? 11 : 9) * DAY_MS + index);
    // Age counts from the newest call.
    fill(db, 1, () => NOW);
    expect(enforce(db, { maxAgeDays: 10 })).toBeGreaterThan(3);
    expect(count(db)).toBe(101);
  });

  test("by size removes the sessions of what it removed, before more calls", () => {
    using db = createAnalyticsDb(":memory:");
    const writer = new ConnectionWriter(db.$client, db.path, "recorder");
    for (let index = 0; index < 3_000; index += 1) {
      const id = `session-${String(index).padStart(4, "0")}`;
      const attributes = { text: "x".repeat(1_500) };
      writer.commit([
        start(id, index, { attributes }),
        call({ sessionId: id, startedAt: index }),
        end(id, index),
      ]);
    }
    // More than the calls alone take.
    enforce(db, { maxSizeMb: 3 });
    expect(count(db)).toBeGreaterThan(500);
    expect(count(db, "sessions")).toBe(count(db));
  });

  test("removes sessions that are old, ended and empty, and no others", () => {
    using db = createAnalyticsDb(":memory:");
    new ConnectionWriter(db.$client, db.path, "recorder").commit([
      start("old", 0, { definitionHashes: ["a1"] }),
      call({ sessionId: "old", startedAt: 0 }),
      end("old", 1),
      start("open", 0, { definitionHashes: ["a1"] }),
      start("with a late call", 0),
      call({ sessionId: "with a late call", startedAt: NOW }),
      end("with a late call", NOW),
    ]);
    enforce(db, { maxAgeDays: 1 });
    expect(db.$client.query("select id from sessions order by id").values()).toEqual([
      ["open"],
      ["with a late call"],
    ]);
    expect(db.$client.query("select session_id from session_definitions").values()).toEqual([
      ["open"],
    ]);
  });

  test("a clock that jumps ahead removes nothing before calls are recorded by it", () => {
    using db = createAnalyticsDb(":memory:");
    fill(db, 10, () => NOW);
    enforce(db, { maxAgeDays: 10 }, NOW + 3_650 * DAY_MS);
    expect(count(db)).toBe(10);
  });

  test("removes the oldest while the file is too large, and gives its space back", () => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    using db = createAnalyticsDb(file);
    fill(db, 4_000, (index) => NOW + index);
    db.$client.run("pragma wal_checkpoint(truncate)");
    expect(statSync(file).size).toBeGreaterThan(4_000_000);
    enforce(db, { maxSizeMb: 2 });
    db.$client.run("pragma wal_checkpoint(truncate)");
    expect(statSync(file).size).toBeLessThan(3_200_000);
    expect(count(db)).toBeWithin(500, 2_000);
    expect(db.$client.query("select min(started_at_ms) from tool_calls").values()).toEqual([
      [NOW + 4_000 - count(db)],
    ]);
    expect(db.$client.query("pragma integrity_check").values()).toEqual([["ok"]]);
  });
});
