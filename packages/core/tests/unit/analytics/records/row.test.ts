import { expect, test } from "bun:test";
import { toToolCallRow } from "../../../../src/analytics/records/row.ts";

const CALL = { toolName: "echo", durationMs: 1.6 };

test("a call with nothing but name and duration is a success, and all else is null", () => {
  const { id, toolName, startedAt, durationMs, status, ...others } = toToolCallRow(
    "id",
    1_000,
    CALL,
  );
  expect({ id, toolName, startedAt, durationMs, status }).toEqual({
    id: "id",
    toolName: "echo",
    startedAt: 998,
    durationMs: 1.6,
    status: "success",
  });
  expect(new Set(Object.values(others))).toEqual(new Set([null]));
});

test("a call starts at its own time, else as long before its record as it took, never before 1970", () => {
  expect(toToolCallRow("id", 1_000, { ...CALL, startedAt: 7.4 }).startedAt).toBe(7);
  expect(toToolCallRow("id", 1_000, { ...CALL, durationMs: 250 }).startedAt).toBe(750);
  expect(toToolCallRow("id", 1_000, { ...CALL, durationMs: 5_000 }).startedAt).toBe(0);
});

test("names are cut at 256 characters and messages at 4,096; an empty name is none", () => {
  const long = "x".repeat(5_000);
  const row = toToolCallRow("id", 1_000, {
    ...CALL,
    toolName: long,
    clientName: long,
    serverName: "",
    errorMessage: long,
  });
  expect(row.toolName).toHaveLength(256);
  expect(row.clientName).toHaveLength(256);
  expect(row.serverName).toBeNull();
  expect(row.errorMessage).toHaveLength(4_096);
});

test("values are stored as SQLite has them: 0 and 1, JSON, ids as text", () => {
  expect(
    toToolCallRow("id", 1_000, {
      ...CALL,
      cacheHit: false,
      requestId: 0,
      outputContentTypes: { text: 2 },
      inputBytes: 0,
    }),
  ).toMatchObject({
    cacheHit: 0,
    requestId: "0",
    outputContentTypes: '{"text":2}',
    inputBytes: 0,
  });
  expect(toToolCallRow("id", 1_000, { ...CALL, cacheHit: true }).cacheHit).toBe(1);
});
