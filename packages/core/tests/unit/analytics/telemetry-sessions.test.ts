import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import {
  sessionDefinitions,
  sessionSummaries,
  sessions,
  toolCalls,
  toolDefinitions,
} from "../../../src/analytics/index.ts";
import { CALL, START, serviceOnMemoryWriter, serviceOnSqlite } from "../../support/service.ts";

beforeEach(() => {
  jest.useFakeTimers({ now: START });
});

afterEach(() => {
  jest.useRealTimers();
});

describe("sessions", () => {
  test("a session holds its calls, its details and its end", async () => {
    const { db, telemetry } = serviceOnSqlite();
    telemetry.startSession("s1", { clientName: "claude", serverName: "files", transport: "stdio" });
    telemetry.recordToolCall({ ...CALL, sessionId: "s1" });
    telemetry.recordToolCall({ ...CALL, sessionId: "s1", status: "error" });
    jest.advanceTimersByTime(250);
    telemetry.endSession("s1", "client closed");
    await telemetry.flush();
    expect(db.select().from(sessionSummaries).all()).toEqual([
      {
        id: "s1",
        kind: null,
        // The first call took 1.5 ms and ended as the session was started.
        startedAt: START - 1,
        endedAt: START + 250,
        durationMs: 251,
        endReason: "client closed",
        clientName: "claude",
        clientVersion: null,
        serverName: "files",
        serverVersion: null,
        protocolVersion: null,
        transport: "stdio",
        calls: 2,
        failures: 1,
        lastCallAt: START - 1,
      },
    ]);
  });

  test("a call that names a session nobody started makes it", async () => {
    const { db, telemetry } = serviceOnSqlite();
    telemetry.recordToolCall({ ...CALL, startedAt: START - 100, sessionId: "s2", clientName: "c" });
    telemetry.recordToolCall(CALL);
    await telemetry.flush();
    expect(db.select().from(sessions).all()).toMatchObject([
      { id: "s2", startedAt: START - 100, clientName: "c", endedAt: null },
    ]);
    expect(db.select().from(toolCalls).all()).toMatchObject([
      { sessionId: "s2" },
      { sessionId: null },
    ]);
  });

  test("the first start and the first end stand; a start after the end opens it again", async () => {
    const { db, telemetry } = serviceOnSqlite();
    telemetry.startSession("s");
    jest.advanceTimersByTime(10);
    telemetry.startSession("s", { clientName: "late" });
    telemetry.endSession("s", "first");
    jest.advanceTimersByTime(10);
    telemetry.endSession("s", "second");
    await telemetry.flush();
    const ended = { id: "s", startedAt: START, endedAt: START + 10, endReason: "first" };
    expect(db.select().from(sessions).all()).toMatchObject([{ ...ended, clientName: "late" }]);
    telemetry.startSession("s");
    await telemetry.flush();
    expect(db.select().from(sessions).all()).toMatchObject([
      { id: "s", startedAt: START, endedAt: null, endReason: null },
    ]);
  });

  test("a session carries the definitions of tools that it was given", async () => {
    const { db, telemetry, logger } = serviceOnSqlite();
    const definition = { name: "echo", description: "Says it again" };
    const seen = {
      hash: "a1",
      toolName: "echo",
      bytes: 47,
      tokens: 12,
      tokenMethod: "characters/4",
    };
    telemetry.recordToolDefinition({ ...seen, definition });
    telemetry.startSession("s", { kind: "connection", definitionHashes: ["a1"] });
    jest.advanceTimersByTime(10);
    telemetry.recordToolDefinition({ ...seen, definition });
    telemetry.recordToolDefinition({ ...seen, hash: "", definition });
    await telemetry.flush();
    const times = { firstSeenAt: START, lastSeenAt: START + 10 };
    expect(db.select().from(toolDefinitions).all()).toEqual([{ ...seen, definition, ...times }]);
    expect(db.select().from(sessionDefinitions).all()).toEqual([
      { sessionId: "s", definitionHash: "a1" },
    ]);
    expect(db.select().from(sessions).all()).toMatchObject([{ id: "s", kind: "connection" }]);
    expect(telemetry.stats.dropped.invalid).toBe(1);
    expect(logger.lines.some((line) => line.includes("a tool's definition"))).toBe(true);
  });

  test("the end of an unknown session is logged and counted", async () => {
    const { telemetry, logger } = serviceOnSqlite();
    telemetry.endSession("nobody");
    await telemetry.flush();
    expect(telemetry.stats.dropped.unknown_session).toBe(1);
    expect(logger.lines.some((line) => line.includes('got "nobody"'))).toBe(true);
  });

  test("events and calls are written in the order they came", async () => {
    const { telemetry, writer } = serviceOnMemoryWriter();
    telemetry.startSession("s");
    telemetry.recordToolCall({ ...CALL, sessionId: "s" });
    telemetry.endSession("s");
    await telemetry.shutdown();
    expect(writer.batches.flat().map(({ kind }) => kind)).toEqual([
      "session_start",
      "tool_call",
      "session_end",
      "recorder_end",
    ]);
  });
});
