import { describe, expect, test } from "bun:test";
import { getTableConfig } from "drizzle-orm/sqlite-core";
import * as fc from "fast-check";
import { type AnalyticsDb, createAnalyticsDb } from "../../../src/analytics/database/database.ts";
import { toSessionStart } from "../../../src/analytics/records/session.ts";
import { toCallDetails } from "../../../src/analytics/records/details.ts";
import type { TelemetryRecord } from "../../../src/analytics/records/record.ts";
import { type ToolCallRow, toToolCallRow } from "../../../src/analytics/records/row.ts";
import {
  failedCalls,
  sessionSummaries,
  sessions,
  toolCalls,
  toolDaily,
} from "../../../src/analytics/schema.ts";
import { FAILED_STATUSES, TOOL_CALL_STATUSES } from "../../../src/analytics/vocabulary.ts";
import { ConnectionWriter } from "../../../src/analytics/writing/connection-writer.ts";
import { call, end, start } from "../../support/records.ts";

/** A table's columns as other programs see them: `<name> <type>`, with a `!` where there is always a value. */
function columnsOf(db: AnalyticsDb, table: string): readonly string[] {
  return db.$client
    .query<{ name: string; type: string; notnull: number }, [string]>(
      "select * from pragma_table_info(?)",
    )
    .all(table)
    .map(({ name, type, notnull }) => `${name} ${type.toLowerCase()}${notnull ? "!" : ""}`);
}

function planOf(db: AnalyticsDb, sql: string): string {
  const steps = db.$client.query<{ detail: string }, []>(`explain query plan ${sql}`).all();
  return steps.map(({ detail }) => detail).join("; ");
}

const PARTIES = [
  "client_name",
  "client_version",
  "server_name",
  "server_version",
  "protocol_version",
  "transport",
];

describe("the columns of the file", () => {
  test("are snake_case, with units in their names", () => {
    using db = createAnalyticsDb(":memory:");
    expect(columnsOf(db, "sessions")).toEqual([
      "id text!",
      "kind text",
      "started_at_ms integer!",
      "ended_at_ms integer",
      "end_reason text",
      "recorder_id text!",
      ...PARTIES.map((name) => `${name} text`),
      "attributes text",
    ]);
    expect(columnsOf(db, "tool_calls")).toEqual([
      "sequence integer!",
      "id text!",
      "tool_name text!",
      "session_id text",
      "started_at_ms integer!",
      "duration_ms real!",
      "status text!",
      "error_type text",
      "error_code integer",
      "error_message text",
      "input_bytes integer",
      "output_bytes integer",
      "input_tokens integer",
      "output_tokens integer",
      "token_method text",
      "output_content_types text",
      "cache_hit integer",
      "argument_hash text",
      "argument_shape_hash text",
      "definition_hash text",
      "continued_from text",
      "request_id text",
      "trace_id text",
      "parent_span_id text",
      ...PARTIES.map((name) => `${name} text`),
      "arguments text",
      "result text",
      "attributes text",
    ]);
    expect(columnsOf(db, "tool_definitions")).toEqual([
      "hash text!",
      "tool_name text!",
      "definition text!",
      "bytes integer!",
      "tokens integer!",
      "token_method text!",
      "first_seen_at_ms integer!",
      "last_seen_at_ms integer!",
    ]);
    expect(columnsOf(db, "session_definitions")).toEqual([
      "session_id text!",
      "definition_hash text!",
    ]);
  });

  test("refuse a second call of the same id, and a call of a session that does not exist", () => {
    using db = createAnalyticsDb(":memory:");
    const values = {
      id: "1",
      toolName: "echo",
      startedAt: 1,
      durationMs: 1,
      status: "success",
    } as const;
    const insert = (row: typeof toolCalls.$inferInsert) => db.insert(toolCalls).values(row).run();
    insert(values);
    expect(() => insert(values)).toThrow("UNIQUE constraint failed: tool_calls.id");
    expect(() => insert({ ...values, id: "2", sessionId: "none" })).toThrow(
      "FOREIGN KEY constraint failed",
    );
  });
});

describe("the indexes", () => {
  test.each([
    [
      "a report on the tools in a time range reads one index and no row",
      "select tool_name, avg(duration_ms), sum(status = 'error') from tool_calls where started_at_ms >= 1 group by tool_name",
      "SEARCH tool_calls USING COVERING INDEX tool_calls_by_time (started_at_ms>?); USE TEMP B-TREE FOR GROUP BY",
    ],
    [
      "the calls of a time range come in order without sorting",
      "select * from tool_calls where started_at_ms between 1 and 2 order by started_at_ms",
      "SEARCH tool_calls USING INDEX tool_calls_by_time (started_at_ms>? AND started_at_ms<?)",
    ],
    [
      "the calls of a session come in order without sorting",
      "select * from tool_calls where session_id = 's' order by started_at_ms",
      "SEARCH tool_calls USING INDEX tool_calls_by_session (session_id=?)",
    ],
    [
      "the open sessions of a recorder are searched for",
      "select * from sessions where recorder_id = 'r' and ended_at_ms is null",
      "SEARCH sessions USING INDEX sessions_open (recorder_id=?)",
    ],
  ])("%s", (_name, sql, plan) => {
    using db = createAnalyticsDb(":memory:");
    expect(planOf(db, sql)).toBe(plan);
  });
});

describe("the views", () => {
  const DAY = 86_400_000;
  /** 2026-03-01T23:59:59.500Z, half a second before the next day. */
  const LATE = Date.UTC(2026, 2, 1, 23, 59, 59, 500);

  async function example(): Promise<AnalyticsDb> {
    const db = createAnalyticsDb(":memory:");
    const parties = {
      clientName: "inspector",
      clientVersion: "1",
      serverName: "files",
      serverVersion: "2",
    };
    await new ConnectionWriter(db.$client, db.path, "recorder").write([
      start("ended", LATE - 1_000, { ...parties, transport: "stdio" }),
      start("quiet", LATE),
      call({ toolName: "read", sessionId: "ended", startedAt: LATE, durationMs: 1 }),
      call({
        toolName: "read",
        sessionId: "ended",
        startedAt: LATE,
        durationMs: 4,
        status: "cancelled",
      }),
      call({
        id: "failed",
        toolName: "read",
        sessionId: "ended",
        startedAt: LATE + 250,
        durationMs: 10,
        status: "error",
        errorType: "Error",
        errorCode: -32_000,
        errorMessage: "no such file",
        requestId: "7",
        serverName: "files 2",
      }),
      call({ toolName: "read", startedAt: LATE + 500, durationMs: 2 }),
      ...TOOL_CALL_STATUSES.map((status) =>
        call({ id: status, toolName: "write", startedAt: LATE + DAY, durationMs: 3, status }),
      ),
      end("ended", LATE + 4_000, "done"),
    ]);
    return db;
  }

  test("v_tool_daily counts and times the calls of each tool on each UTC day", async () => {
    using db = await example();
    expect(db.select().from(toolDaily).orderBy(toolDaily.day, toolDaily.toolName).all()).toEqual([
      {
        day: "2026-03-01",
        toolName: "read",
        calls: 3,
        failures: 1,
        failureRate: 0.3333,
        meanDurationMs: 5,
        maxDurationMs: 10,
      },
      {
        day: "2026-03-02",
        toolName: "read",
        calls: 1,
        failures: 0,
        failureRate: 0,
        meanDurationMs: 2,
        maxDurationMs: 2,
      },
      {
        day: "2026-03-02",
        toolName: "write",
        calls: 8,
        failures: 4,
        failureRate: 0.5,
        meanDurationMs: 3,
        maxDurationMs: 3,
      },
    ]);
  });

  test("v_sessions tells of each session how long it was and what its calls came to", async () => {
    using db = await example();
    const nobody = { clientName: null, clientVersion: null, serverName: null, serverVersion: null };
    expect(db.select().from(sessionSummaries).orderBy(sessionSummaries.id).all()).toEqual([
      {
        id: "ended",
        kind: null,
        startedAt: LATE - 1_000,
        endedAt: LATE + 4_000,
        durationMs: 5_000,
        endReason: "done",
        clientName: "inspector",
        clientVersion: "1",
        serverName: "files",
        serverVersion: "2",
        protocolVersion: null,
        transport: "stdio",
        calls: 3,
        failures: 1,
        lastCallAt: LATE + 250,
      },
      {
        id: "quiet",
        kind: null,
        startedAt: LATE,
        endedAt: null,
        durationMs: null,
        endReason: null,
        ...nobody,
        protocolVersion: null,
        transport: null,
        calls: 0,
        failures: 0,
        lastCallAt: null,
      },
    ]);
  });

  test("v_errors lists the calls that failed, with a time that people can read", async () => {
    using db = await example();
    const failures = db.select().from(failedCalls).orderBy(failedCalls.sequence).all();
    expect(failures.map(({ id }) => id)).toEqual(["failed", ...FAILED_STATUSES]);
    // The call names its server; its client is the session's.
    expect(failures[0]).toEqual({
      sequence: 3,
      id: "failed",
      startedAtUtc: "2026-03-01T23:59:59.750Z",
      startedAt: LATE + 250,
      toolName: "read",
      status: "error",
      errorType: "Error",
      errorCode: -32_000,
      errorMessage: "no such file",
      durationMs: 10,
      requestId: "7",
      sessionId: "ended",
      clientName: "inspector",
      serverName: "files 2",
    });
  });
});

describe("a row", () => {
  const text = fc.option(fc.string({ unit: "binary", maxLength: 300 }), { nil: undefined });
  const count = fc.option(fc.maxSafeNat(), { nil: undefined });
  const attributes = fc.option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: undefined });
  const startedAt = fc.option(fc.double({ min: 0, max: 253_402_300_799_999, noNaN: true }), {
    nil: undefined,
  });
  const parties = {
    clientName: text,
    clientVersion: text,
    serverName: text,
    serverVersion: text,
    protocolVersion: text,
    transport: text,
  };
  const metadata = fc.record({
    toolName: fc.string({ unit: "binary", minLength: 1 }),
    durationMs: fc.double({ min: 0, noDefaultInfinity: true, noNaN: true }),
    sessionId: text,
    startedAt,
    status: fc.option(fc.constantFrom(...TOOL_CALL_STATUSES), { nil: undefined }),
    errorType: text,
    errorCode: fc.option(fc.maxSafeInteger(), { nil: undefined }),
    errorMessage: text,
    inputBytes: count,
    outputBytes: count,
    inputTokens: count,
    outputTokens: count,
    cacheHit: fc.option(fc.boolean(), { nil: undefined }),
    requestId: fc.oneof(text, fc.integer()),
    traceId: text,
    parentSpanId: text,
    ...parties,
    arguments: fc.jsonValue(),
    result: fc.option(fc.jsonValue(), { nil: undefined }),
    attributes,
  });
  const details = fc.record({ startedAt, ...parties, attributes });

  const parse = (json: string | null): unknown => (json === null ? null : JSON.parse(json));

  async function storeAlone(record: TelemetryRecord, look: (db: AnalyticsDb) => unknown) {
    using db = createAnalyticsDb(":memory:");
    expect(await new ConnectionWriter(db.$client, db.path, "recorder").write([record])).toEqual([]);
    return look(db);
  }

  test("of a call comes back from drizzle as it was stored, column by column", async () => {
    const property = fc.asyncProperty(metadata, fc.nat(), async (input, now) => {
      const row: ToolCallRow = toToolCallRow(
        "id",
        now,
        toCallDetails(input, { capturePayloads: true, maxPayloadLength: 200 }),
      );
      const read = await storeAlone({ kind: "tool_call", row }, (db) =>
        db.select().from(toolCalls).all(),
      );
      expect(read).toEqual([
        {
          ...row,
          sequence: 1,
          cacheHit: row.cacheHit === null ? null : row.cacheHit === 1,
          arguments: parse(row.arguments),
          result: parse(row.result),
          attributes: parse(row.attributes),
        },
      ]);
    });
    await fc.assert(property, { numRuns: 200 });
  });

  test("of a session comes back from drizzle as it was stored, column by column", async () => {
    const id = fc.string({ unit: "binary", minLength: 1 });
    const property = fc.asyncProperty(id, details, fc.nat(), async (sessionId, input, now) => {
      const row = toSessionStart(sessionId, "recorder", input, now);
      const { recordedAt: _recordedAt, ...columns } = row;
      const read = await storeAlone({ kind: "session_start", row }, (db) =>
        db.select().from(sessions).all(),
      );
      expect(read).toEqual([
        { ...columns, endedAt: null, endReason: null, attributes: parse(row.attributes) },
      ]);
    });
    await fc.assert(property);
  });
});

test("a call refers to its session, for tools that follow foreign keys", () => {
  const [key] = getTableConfig(toolCalls).foreignKeys;
  const reference = key?.reference();
  expect(reference?.foreignTable).toBe(sessions);
  expect(reference?.columns).toEqual([toolCalls.sessionId]);
});
