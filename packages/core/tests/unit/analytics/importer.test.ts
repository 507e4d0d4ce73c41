import { describe, expect, test } from "bun:test";
import { createAnalyticsDb } from "../../../src/analytics/database.ts";
import { Importer } from "../../../src/analytics/importer.ts";
import { T0 } from "../../support/ledger.ts";

const CALL = { id: "call-1", toolName: "echo", startedAt: T0, durationMs: 2.5, sessionId: "s" };

function opened() {
  const db = createAnalyticsDb(":memory:");
  return { db, importer: new Importer(db), rows: (sql: string) => db.$client.query(sql).all() };
}

describe("Importer", () => {
  test("stores what was recorded elsewhere with the ids and times it has there", () => {
    const { db, importer, rows } = opened();
    importer.toolDefinition(
      {
        hash: "h",
        toolName: "echo",
        definition: { name: "echo" },
        bytes: 15,
        tokens: 4,
        tokenMethod: "test",
      },
      T0,
    );
    importer.session("s", {
      startedAt: T0 - 5,
      endedAt: T0 + 9,
      endReason: "closed",
      definitionHashes: ["h"],
    });
    importer.toolCall({ ...CALL, arguments: { text: "hi" }, status: "error", errorMessage: "no" });
    importer.commit();
    expect(
      rows("select id, tool_name, started_at_ms, duration_ms, status, arguments from tool_calls"),
    ).toEqual([
      {
        id: "call-1",
        tool_name: "echo",
        started_at_ms: T0,
        duration_ms: 2.5,
        status: "error",
        arguments: '{"text":"hi"}',
      },
    ]);
    expect(rows("select started_at_ms, ended_at_ms, end_reason from sessions")).toEqual([
      { started_at_ms: T0 - 5, ended_at_ms: T0 + 9, end_reason: "closed" },
    ]);
    expect(rows("select hash, first_seen_at_ms from tool_definitions")).toEqual([
      { hash: "h", first_seen_at_ms: T0 },
    ]);
    expect(rows("select count(*) as links from session_definitions")).toEqual([{ links: 1 }]);
    db.close();
  });

  test("stores the same again once", () => {
    const { db, importer, rows } = opened();
    for (let time = 0; time < 2; time += 1) {
      importer.session("s", { startedAt: T0, endedAt: T0 + 9 });
      importer.toolCall(CALL);
      importer.commit();
    }
    expect(
      rows(
        "select (select count(*) from tool_calls) as calls, (select count(*) from sessions) as sessions",
      ),
    ).toEqual([{ calls: 1, sessions: 1 }]);
    db.close();
  });

  test("commits by itself when much waits, and the rest when it is told to", () => {
    const { db, importer, rows } = opened();
    for (let index = 0; index < 501; index += 1)
      importer.toolCall({ ...CALL, id: `call-${index}` });
    expect(rows("select count(*) as calls from tool_calls")).toEqual([{ calls: 500 }]);
    importer.commit();
    importer.commit();
    expect(rows("select count(*) as calls from tool_calls")).toEqual([{ calls: 501 }]);
    db.close();
  });

  test("throws on what makes no sense, and keeps the rest", () => {
    const { db, importer, rows } = opened();
    importer.toolCall(CALL);
    expect(() => importer.toolCall({ ...CALL, id: "call-2", durationMs: -1 })).toThrow();
    importer.commit();
    expect(rows("select id from tool_calls")).toEqual([{ id: "call-1" }]);
    db.close();
  });

  test("explains what the database says", () => {
    const { db, importer } = opened();
    importer.toolCall(CALL);
    db.close();
    expect(() => importer.commit()).toThrow(expect.objectContaining({ code: "closed" }));
  });
});
