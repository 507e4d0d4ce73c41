import { describe, expect, test } from "bun:test";
import {
  CALL_RECORD_COLUMNS,
  callsAfter,
  countCalls,
  sessionCalls,
  streamCalls,
  topCalls,
} from "../../../../src/analytics/queries/calls.ts";
import { SECOND, T0, ledger } from "../../../support/ledger.ts";

const names = (calls: readonly { readonly toolName: string }[]) =>
  calls.map(({ toolName }) => toolName);

const CALLS = [
  { toolName: "a", durationMs: 5, outputTokens: 10, sessionId: "s" },
  { toolName: "b", durationMs: 50, inputBytes: 3, clientName: "own" },
  { toolName: "c", durationMs: 20, outputTokens: 99, sessionId: "s", startedAt: T0 - SECOND },
];

const SESSIONS = { s: { clientName: "client", serverName: "server", startedAt: T0 - SECOND } };

describe("topCalls", () => {
  test.each([
    ["startedAt", ["b", "a", "c"]],
    ["durationMs", ["b", "c", "a"]],
    ["outputTokens", ["c", "a", "b"]],
    ["inputBytes", ["b", "c", "a"]],
  ] as const)("by %s", (order, expected) => {
    using db = ledger({ calls: CALLS, sessions: SESSIONS });
    expect(names(topCalls(db, {}, order, 10))).toEqual([...expected]);
    expect(names(topCalls(db, {}, order, 1))).toEqual(expected.slice(0, 1));
  });

  test("names the session's client where the call names none", () => {
    using db = ledger({ calls: CALLS, sessions: SESSIONS });
    expect(topCalls(db, { tools: ["a"] }, "startedAt", 1)).toEqual([
      {
        sequence: 1,
        id: "call-0000",
        startedAt: T0,
        toolName: "a",
        status: "success",
        durationMs: 5,
        errorType: null,
        errorCode: null,
        errorMessage: null,
        inputBytes: null,
        outputBytes: null,
        outputTokens: 10,
        sessionId: "s",
        clientName: "client",
        serverName: "server",
      },
    ]);
    expect(topCalls(db, { clients: ["own"] }, "startedAt", 5)).toMatchObject([
      { clientName: "own", serverName: null },
    ]);
  });
});

test("callsAfter goes on where a sequence number ends, in the order of arrival", () => {
  using db = ledger({ calls: CALLS, sessions: SESSIONS });
  expect(names(callsAfter(db, {}, 0, 2))).toEqual(["a", "b"]);
  expect(names(callsAfter(db, {}, 2, 2))).toEqual(["c"]);
  expect(callsAfter(db, {}, 3, 2)).toEqual([]);
  expect(names(callsAfter(db, { clients: ["client"] }, 0, 5))).toEqual(["a", "c"]);
});

test("sessionCalls are in the order of time", () => {
  using db = ledger({ calls: CALLS, sessions: SESSIONS });
  expect(names(sessionCalls(db, "s", -1))).toEqual(["c", "a"]);
  expect(sessionCalls(db, "none", -1)).toEqual([]);
});

describe("streamCalls", () => {
  test("gives every column of the file, and no other", () => {
    using db = ledger({ calls: CALLS, sessions: SESSIONS });
    const columns = db.$client.query("select name from pragma_table_info('tool_calls')").values();
    expect<string[]>([...CALL_RECORD_COLUMNS].toSorted()).toEqual(
      columns.map(([name]) => String(name)).toSorted(),
    );
    const [first] = streamCalls(db, {});
    expect(Object.keys(first ?? {})).toEqual([...CALL_RECORD_COLUMNS]);
  });

  test("gives what was stored, one by one, and countCalls how many", () => {
    using db = ledger({
      calls: [
        { toolName: "a", arguments: { x: 1 }, cacheHit: true, outputContentTypes: { text: 2 } },
      ],
    });
    const [call, ...others] = streamCalls(db, {});
    expect(others).toEqual([]);
    expect(call).toMatchObject({
      tool_name: "a",
      arguments: '{"x":1}',
      cache_hit: 1,
      output_content_types: '{"text":2}',
    });
    expect(countCalls(db, {})).toBe(1);
    expect(countCalls(db, { tools: ["none"] })).toBe(0);
  });
});
