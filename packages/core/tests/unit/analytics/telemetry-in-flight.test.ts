import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import {
  type AnalyticsDb,
  sessions,
  toolCalls,
  type ToolCallMetadata,
} from "../../../src/analytics/index.ts";
import { START, serviceOnMemoryWriter, serviceOnSqlite } from "../../support/service.ts";

beforeEach(() => {
  jest.useFakeTimers({ now: START });
});

afterEach(() => {
  jest.useRealTimers();
});

describe("calls in flight", () => {
  const stored = (db: AnalyticsDb) =>
    db
      .select({
        id: toolCalls.id,
        toolName: toolCalls.toolName,
        status: toolCalls.status,
        startedAt: toolCalls.startedAt,
        durationMs: toolCalls.durationMs,
      })
      .from(toolCalls)
      .all();

  test("are recorded at their end, with their own duration, once", async () => {
    const { db, telemetry } = serviceOnSqlite();
    const call = telemetry.startToolCall({ toolName: "echo", sessionId: "s" });
    expect(telemetry.stats).toMatchObject({ inFlight: 1, accepted: 0 });
    jest.advanceTimersByTime(250);
    call.end({ status: "error", errorMessage: "no" });
    call.end({ status: "success" });
    expect(telemetry.stats).toMatchObject({ inFlight: 0, accepted: 1 });
    await telemetry.flush();
    expect(stored(db)).toEqual([
      { id: call.id, toolName: "echo", status: "error", startedAt: START, durationMs: 250 },
    ]);
  });

  test("keep the duration by the monotonic clock when the wall clock is set back", async () => {
    const { db, telemetry } = serviceOnSqlite();
    const call = telemetry.startToolCall({ toolName: "echo" });
    jest.advanceTimersByTime(100);
    jest.setSystemTime(START - 3_600_000);
    call.end();
    await telemetry.flush();
    expect(stored(db)).toMatchObject([{ startedAt: START, durationMs: 100, status: "success" }]);
  });

  test("what is said at the end adds to what was said at the start", async () => {
    const { db, telemetry } = serviceOnSqlite({ capturePayloads: true });
    const input = { path: "/a" };
    const call = telemetry.startToolCall({
      toolName: "echo",
      requestId: 0,
      arguments: input,
      clientName: "claude",
    });
    input.path = "changed later";
    call.end({ result: [1], outputBytes: 3, clientName: undefined, durationMs: 7 });
    await telemetry.flush();
    expect(db.select().from(toolCalls).all()).toMatchObject([
      {
        requestId: "0",
        arguments: { path: "/a" },
        result: [1],
        clientName: "claude",
        outputBytes: 3,
        durationMs: 7,
      },
    ]);
  });

  test("say the details of their end a little later, with the duration of the end", async () => {
    const { db, telemetry } = serviceOnSqlite();
    const call = telemetry.startToolCall({ toolName: "echo" });
    jest.advanceTimersByTime(10);
    let asked = 0;
    call.end(() => {
      asked += 1;
      return { status: "error" };
    });
    jest.advanceTimersByTime(4);
    expect(asked).toBe(0);
    jest.advanceTimersByTime(1);
    expect(asked).toBe(1);
    expect(telemetry.stats).toMatchObject({ inFlight: 0, accepted: 1 });
    await telemetry.flush();
    expect(stored(db)).toMatchObject([{ status: "error", durationMs: 10 }]);
  });

  test("are not asked for details by a look at the counts", () => {
    const { telemetry } = serviceOnMemoryWriter();
    let asked = 0;
    const call = telemetry.startToolCall({ toolName: "echo" });
    call.end({}, () => {
      asked += 1;
      return {};
    });
    expect(telemetry.stats).toMatchObject({ inFlight: 0, accepted: 0 });
    expect(telemetry.stats).toEqual(telemetry.stats);
    expect(asked).toBe(0);
    jest.advanceTimersByTime(5);
    expect(telemetry.stats).toMatchObject({ inFlight: 0, accepted: 1 });
    expect(asked).toBe(1);
  });

  test("may be named a little later: then they are followed, if they still run", async () => {
    const { db, telemetry } = serviceOnSqlite();
    const named: string[] = [];
    const name = (toolName: string) => () => {
      named.push(toolName);
      return { toolName };
    };
    const slow = telemetry.startToolCall(name("slow"));
    const quick = telemetry.startToolCall(name("quick"));
    jest.advanceTimersByTime(4);
    quick.end({ status: "error" });
    expect(named).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(telemetry.stats).toMatchObject({ inFlight: 1, accepted: 1 });
    expect(named).toEqual(["slow", "quick"]);
    jest.advanceTimersByTime(5);
    slow.end();
    telemetry.startToolCall(() => ({ toolName: "" })).end();
    telemetry.startToolCall(name("last"));
    await telemetry.shutdown();
    expect(stored(db)).toMatchObject([
      { id: quick.id, toolName: "quick", status: "error", startedAt: START, durationMs: 4 },
      { id: slow.id, toolName: "slow", status: "success", startedAt: START, durationMs: 10 },
      { toolName: "last", status: "abandoned" },
    ]);
    expect(telemetry.stats.dropped.invalid).toBe(1);
  });

  test("may end with more to say later; what fails of it leaves the rest", async () => {
    const { db, telemetry } = serviceOnSqlite();
    const call = telemetry.startToolCall({ toolName: "echo" });
    call.end({ status: "error", errorType: "tool_error" }, () => ({ outputBytes: 5 }));
    const failing = telemetry.startToolCall({ toolName: "failing" });
    failing.end({ status: "timeout" }, () => {
      throw new Error("cannot say");
    });
    jest.advanceTimersByTime(5);
    expect(telemetry.stats).toMatchObject({ accepted: 2, inFlight: 0, dropped: { invalid: 1 } });
    await telemetry.flush();
    expect(db.select().from(toolCalls).all()).toMatchObject([
      { toolName: "echo", status: "error", errorType: "tool_error", outputBytes: 5 },
      { toolName: "failing", status: "timeout" },
    ]);
  });

  test.each(["flush", "shutdown"] as const)("say them before %s()", async (how) => {
    const { db, telemetry } = serviceOnSqlite();
    telemetry.startToolCall({ toolName: "echo" }).end(() => ({ outputBytes: 5 }));
    telemetry.startToolCall({ toolName: "bad" }).end(() => {
      throw new Error("cannot say");
    });
    await telemetry[how]();
    expect(stored(db)).toMatchObject([{ toolName: "echo", status: "success" }]);
    expect(telemetry.stats).toMatchObject({ inFlight: 0, dropped: { invalid: 1 } });
  });

  test("that are abandoned keep their names and payloads", async () => {
    const { db, telemetry } = serviceOnSqlite({ capturePayloads: true });
    const names = { toolName: "slow", requestId: 0, clientName: "claude", traceId: "a".repeat(32) };
    telemetry.startToolCall({ ...names, startedAt: 5, arguments: { q: 1 }, attributes: { a: 1 } });
    await telemetry.shutdown();
    expect(db.select().from(toolCalls).all()).toMatchObject([
      {
        ...names,
        requestId: "0",
        startedAt: 5,
        status: "abandoned",
        arguments: { q: 1 },
        attributes: { a: 1 },
      },
    ]);
  });

  test("are abandoned when the service is shut down; a later end is ignored and counted", async () => {
    const { db, telemetry } = serviceOnSqlite();
    const call = telemetry.startToolCall({ toolName: "slow", sessionId: "s" });
    jest.advanceTimersByTime(40);
    await telemetry.shutdown();
    call.end();
    expect(stored(db)).toEqual([
      { id: call.id, toolName: "slow", status: "abandoned", startedAt: START, durationMs: 40 },
    ]);
    expect(db.select().from(sessions).all()).toMatchObject([{ id: "s", endReason: "shutdown" }]);
    expect(telemetry.stats.dropped.shut_down).toBe(1);
  });

  test("of bad metadata are refused, counted once, and harm nobody", async () => {
    const { db, telemetry } = serviceOnSqlite();
    const bad: unknown = { toolName: 1 };
    telemetry.startToolCall(bad as ToolCallMetadata).end();
    telemetry.startToolCall({ toolName: "echo" }).end(bad as ToolCallMetadata);
    const unreadable = Object.defineProperty({}, "status", {
      enumerable: true,
      get: () => {
        throw new Error("do not look");
      },
    });
    telemetry.startToolCall({ toolName: "echo" }).end(unreadable, () => ({}));
    await telemetry.flush();
    expect(telemetry.stats).toMatchObject({ inFlight: 0, dropped: { invalid: 3 } });
    expect(stored(db)).toEqual([]);
  });

  test("beyond ten thousand are recorded at their end all the same", async () => {
    const { telemetry } = serviceOnMemoryWriter();
    const calls = Array.from({ length: 10_001 }, () => telemetry.startToolCall({ toolName: "x" }));
    expect(telemetry.stats.inFlight).toBe(10_000);
    calls.at(-1)?.end();
    expect(telemetry.stats.accepted).toBe(1);
  });

  test("cost nothing while recording is off", () => {
    const { telemetry } = serviceOnMemoryWriter({ enabled: false });
    telemetry.startToolCall({ toolName: "echo" }).end();
    expect(telemetry.stats).toMatchObject({ inFlight: 0, accepted: 0 });
  });
});
