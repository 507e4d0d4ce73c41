import { describe, expect, test } from "bun:test";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { Importer } from "../../../../src/analytics/database/importer.ts";
import { T0 } from "../../../support/ledger.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

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

  test("says what it found wrong in words", () => {
    const { db, importer } = opened();
    expect(() => importer.toolCall({ ...CALL, durationMs: -1 })).toThrow(/durationMs/);
    expect(() => importer.toolCall({ ...CALL, durationMs: -1 })).toThrow(TypeError);
    expect(() => importer.session("s", { startedAt: -1 })).toThrow(TypeError);
    db.close();
  });

  test("counts the calls that it stored, those that were there, and those that wait", () => {
    const { db, importer } = opened();
    importer.toolCall({ ...CALL, status: "abandoned" });
    importer.toolCall({ ...CALL, status: "abandoned" });
    importer.session("other", { startedAt: T0 });
    expect(importer.counts).toEqual({ stored: 0, known: 0, refused: 0, waiting: 2 });
    importer.commit();
    expect(importer.counts).toEqual({ stored: 1, known: 1, refused: 0, waiting: 0 });
    // How it ended was not known before.
    importer.toolCall(CALL);
    importer.toolCall(CALL);
    importer.commit();
    expect(importer.counts).toEqual({ stored: 2, known: 2, refused: 0, waiting: 0 });
    db.close();
  });

  test("keeps what it was given when the database fails, and stores it when it works again", () => {
    using directory = temporaryDirectory();
    using db = createAnalyticsDb(directory.file("a.db"));
    using other = createAnalyticsDb(directory.file("a.db"));
    const importer = new Importer(db, { lockTimeoutMs: 0 });
    for (let index = 0; index < 500; index += 1)
      importer.toolCall({ ...CALL, id: `call-${index}` });
    other.$client.run("begin immediate");
    for (let time = 0; time < 3; time += 1) {
      expect(() => importer.toolCall({ ...CALL, id: "call-500" })).toThrow(
        expect.objectContaining({ code: "locked" }),
      );
      expect(() => importer.commit()).toThrow(expect.objectContaining({ code: "locked" }));
      expect(importer.counts).toEqual({ stored: 0, known: 0, refused: 0, waiting: 500 });
    }
    other.$client.run("rollback");
    importer.toolCall({ ...CALL, id: "call-500" });
    importer.commit();
    expect(importer.counts).toEqual({ stored: 501, known: 0, refused: 0, waiting: 0 });
    expect(db.$client.query("select count(*) from tool_calls").values()).toEqual([[501]]);
  });

  test("commits early where payloads are large", () => {
    const { db, importer } = opened();
    for (let index = 0; index < 5; index += 1) {
      importer.toolCall({ ...CALL, id: `call-${index}`, result: "x".repeat(2_000_000) });
    }
    expect(importer.counts.stored).toBeGreaterThan(0);
    db.close();
  });

  test("stores payloads whole", () => {
    const { db, importer, rows } = opened();
    // Cut where it was recorded, and longer than the cap on attributes because of it.
    const attributes = { $truncated: "x".repeat(16_384), length: 99_999 };
    importer.toolCall({ ...CALL, attributes, result: "y".repeat(2_000_000) });
    importer.commit();
    expect(rows("select attributes, length(result) as length from tool_calls")).toEqual([
      { attributes: JSON.stringify(attributes), length: 2_000_002 },
    ]);
    db.close();
  });

  describe("when the database refuses a record", () => {
    const refusing = (options = {}) => {
      const db = createAnalyticsDb(":memory:");
      db.$client.run(
        "create trigger no before insert on tool_calls when new.tool_name = 'bad' begin select raise(abort, 'not this one'); end",
      );
      return { db, importer: new Importer(db, options) };
    };
    const bad = { ...CALL, id: "bad", toolName: "bad" };

    test("stores the others, and names it", () => {
      const refused: unknown[] = [];
      const { db, importer } = refusing({ onRefused: (record: unknown) => refused.push(record) });
      for (let index = 0; index < 499; index += 1) {
        if (index === 250) importer.toolCall(bad);
        importer.toolCall({ ...CALL, id: `call-${index}` });
      }
      importer.commit();
      expect(importer.counts).toEqual({ stored: 499, known: 0, refused: 1, waiting: 0 });
      expect(refused).toEqual([
        {
          call: bad,
          error: expect.objectContaining({ message: expect.stringContaining("not this one") }),
        },
      ]);
      db.close();
    });

    test("throws it after the others are stored, where nobody listens", () => {
      const { db, importer } = refusing();
      importer.toolCall(bad);
      importer.toolCall(CALL);
      expect(() => importer.commit()).toThrow("not this one");
      expect(importer.counts).toEqual({ stored: 1, known: 0, refused: 1, waiting: 0 });
      importer.commit();
      db.close();
    });
  });

  test("explains what the database says", () => {
    const { db, importer } = opened();
    importer.toolCall(CALL);
    db.close();
    expect(() => importer.commit()).toThrow(expect.objectContaining({ code: "closed" }));
  });
});
