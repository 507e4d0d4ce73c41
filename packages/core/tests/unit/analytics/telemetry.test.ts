import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import fc from "fast-check";
import pino from "pino";
import {
  type Writer,
  type TelemetryConfig,
  type TelemetryRecord,
  type ToolCallMetadata,
  TelemetryService,
  type AnalyticsDb,
  createAnalyticsDb,
  recorderHealth,
  sessionDefinitions,
  sessionSummaries,
  sessions,
  toolCalls,
  toolDefinitions,
} from "../../../src/analytics/index.ts";
import { elapse, turn } from "../../support/event-loop.ts";
import { memoryLogger } from "../../support/memory-logger.ts";

const START = Date.UTC(2026, 0, 1);
const CALL: ToolCallMetadata = { toolName: "echo", durationMs: 1.5 };

/** The double at the `write(batch)` seam: keeps the batches, fails as often as it is told to. */
class MemoryWriter implements Writer {
  readonly batches: TelemetryRecord[][] = [];
  failures = 0;

  async write(batch: readonly TelemetryRecord[]) {
    if (this.failures-- > 0) throw new Error("the sink is down");
    this.batches.push([...batch]);
    return [];
  }

  get sizes(): number[] {
    return this.batches.map((batch) => batch.length);
  }

  get toolNames(): string[] {
    return this.batches.flat().flatMap((r) => (r.kind === "tool_call" ? [r.row.toolName] : []));
  }
}

function serviceOnMemoryWriter(config: TelemetryConfig = {}) {
  const writer = new MemoryWriter();
  const logger = memoryLogger();
  const telemetry = new TelemetryService(createAnalyticsDb(":memory:"), {
    writer,
    logger,
    ...config,
  });
  const record = (count: number) => {
    for (let i = 0; i < count; i++) telemetry.recordToolCall(CALL);
  };
  return { telemetry, writer, logger, record };
}

function serviceOnSqlite(config: TelemetryConfig = {}) {
  const db = createAnalyticsDb(":memory:");
  const logger = memoryLogger();
  return { db, logger, telemetry: new TelemetryService(db, { logger, ...config }) };
}

beforeEach(() => {
  jest.useFakeTimers({ now: START });
});

afterEach(() => {
  jest.useRealTimers();
});

describe("batching", () => {
  test("writes a batch at exactly 50 records, not on the caller's stack", async () => {
    const { writer, record } = serviceOnMemoryWriter();
    record(49);
    await turn();
    expect(writer.sizes).toEqual([]);
    record(1);
    expect(writer.sizes).toEqual([]);
    await turn();
    expect(writer.sizes).toEqual([50]);
  });

  test("writes a partial batch 5 s after its first record, however many come later", async () => {
    const { writer, record } = serviceOnMemoryWriter();
    record(1);
    jest.advanceTimersByTime(4_000);
    record(1);
    jest.advanceTimersByTime(999);
    expect(writer.sizes).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(writer.sizes).toEqual([2]);
  });

  test("has no timer while nothing waits, one while something does, none after shutdown", async () => {
    const { telemetry, record } = serviceOnMemoryWriter();
    expect(jest.getTimerCount()).toBe(0);
    record(2);
    expect(jest.getTimerCount()).toBe(1);
    await telemetry.flush();
    expect(jest.getTimerCount()).toBe(0);
    record(1);
    await telemetry.shutdown();
    expect(jest.getTimerCount()).toBe(0);
  });

  test("makes 40 batches of 2,000 records of one tick", async () => {
    const { telemetry, writer, record } = serviceOnMemoryWriter();
    record(2_000);
    await telemetry.flush();
    expect(writer.sizes).toEqual(Array(40).fill(50));
  });

  test("a clock set back does not delay a batch", () => {
    const { writer, record } = serviceOnMemoryWriter();
    record(1);
    jest.setSystemTime(START - 3_600_000);
    jest.advanceTimersByTime(5_000);
    expect(writer.sizes).toEqual([1]);
  });
});

describe("flush()", () => {
  test("says that everything is written", async () => {
    const { telemetry, record } = serviceOnMemoryWriter();
    record(3);
    expect(await telemetry.flush()).toEqual({ outcome: "written", remaining: 0 });
    expect(await telemetry.flush()).toEqual({ outcome: "written", remaining: 0 });
  });

  test("says that the write failed, keeps the records, and the clock writes them later", async () => {
    const { telemetry, writer, record } = serviceOnMemoryWriter();
    writer.failures = 1;
    record(3);
    expect(await telemetry.flush()).toEqual({
      outcome: "failed",
      remaining: 3,
      error: new Error("the sink is down"),
    });
    jest.advanceTimersByTime(200);
    expect(writer.sizes).toEqual([3]);
  });
});

describe("failures", () => {
  test("one warning when writing fails, one when it works again", async () => {
    const { writer, logger, record } = serviceOnMemoryWriter();
    writer.failures = 3;
    record(50);
    await turn();
    await elapse(2_000);
    expect(writer.sizes).toEqual([50]);
    const warnings = logger.lines.filter((line) => line.startsWith("warn"));
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain("the sink is down");
    expect(warnings[0]).toContain("50 records wait in memory");
    expect(warnings[1]).toContain("Writing works again");
  });

  test("counts failed flushes, retries and the last error", async () => {
    const { telemetry, writer, record } = serviceOnMemoryWriter();
    writer.failures = 2;
    record(50);
    await turn();
    await elapse(2_000);
    expect(telemetry.stats).toMatchObject({
      accepted: 50,
      written: 50,
      queued: 0,
      failedFlushes: 2,
      retries: 2,
      lastError: { message: "the sink is down" },
    });
  });

  test("a permanent failure is bounded in memory, with one warning for the failure and one for the loss", async () => {
    const { telemetry, writer, logger, record } = serviceOnMemoryWriter({ maxQueueSize: 100 });
    writer.failures = Number.POSITIVE_INFINITY;
    for (let minute = 0; minute < 10; minute++) {
      record(500);
      await elapse(60_000, 1_000);
    }
    expect(telemetry.stats).toMatchObject({
      accepted: 100,
      queued: 100,
      written: 0,
      dropped: { queue_full: 4_900 },
    });
    // The first tries double from 100 ms; then one each 15 to 30 s.
    expect(telemetry.stats.failedFlushes).toBeLessThan(60);
    expect(logger.lines.filter((line) => line.startsWith("warn"))).toHaveLength(2);
  });

  test("one warning when the queue overflows and one with the total when there is room", async () => {
    const { telemetry, logger, record } = serviceOnMemoryWriter({ maxQueueSize: 60 });
    record(100);
    await telemetry.flush();
    record(70);
    await telemetry.flush();
    expect(telemetry.stats.dropped.queue_full).toBe(50);
    expect(logger.lines.filter((line) => line.startsWith("warn"))).toEqual([
      "warn: The queue is full (60 records). New records are dropped and counted until there is room.",
      "warn: The queue has room again; 40 records were dropped.",
      "warn: The queue is full (60 records). New records are dropped and counted until there is room.",
      "warn: The queue has room again; 10 records were dropped.",
    ]);
  });

  test("a record the database refuses is set aside, counted and logged; the others are stored", async () => {
    const { db, telemetry, logger } = serviceOnSqlite();
    db.$client.run(
      "create trigger poison before insert on tool_calls when new.tool_name = 'poison' begin select raise(abort, 'poisoned'); end",
    );
    for (let i = 0; i < 49; i++) telemetry.recordToolCall({ ...CALL, toolName: `tool_${i}` });
    telemetry.recordToolCall({ ...CALL, toolName: "poison" });
    await telemetry.flush();
    expect(db.select().from(toolCalls).all()).toHaveLength(49);
    expect(telemetry.stats).toMatchObject({ written: 49, queued: 0, dropped: { unwritable: 1 } });
    expect(logger.lines.some((l) => l.startsWith("warn") && l.includes("poisoned"))).toBe(true);
  });
});

describe("any history", () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.constant("record" as const) },
    fc.constant("flush" as const),
    fc.constant("fail" as const),
    fc.constant("wait" as const),
    fc.constant("turn" as const),
  );

  test("stores every accepted record exactly once, in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }),
        async (history, batchSize) => {
          const { telemetry, writer } = serviceOnMemoryWriter({ batchSize, maxQueueSize: 20 });
          let recorded = 0;
          const accepted: string[] = [];
          for (const action of history) {
            if (action === "record") {
              const before = telemetry.stats.accepted;
              telemetry.recordToolCall({ ...CALL, toolName: `call_${recorded++}` });
              if (telemetry.stats.accepted > before) accepted.push(`call_${recorded - 1}`);
            } else if (action === "flush") void telemetry.flush();
            else if (action === "fail") writer.failures = 2;
            else if (action === "wait") await elapse(7_000, 1_000);
            else await turn();
          }
          writer.failures = 0;
          const done = telemetry.shutdown();
          await elapse(500);
          await done;
          expect(writer.toolNames).toEqual(accepted);
          expect(telemetry.stats).toMatchObject({ written: accepted.length, queued: 0 });
          expect(telemetry.stats.dropped.queue_full).toBe(recorded - accepted.length);
          expect(jest.getTimerCount()).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });
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

describe("the recorder's health", () => {
  const health = (db: AnalyticsDb) => db.select().from(recorderHealth).all();

  test("is one row an hour, with the counts of that hour", async () => {
    const { db, telemetry } = serviceOnSqlite();
    telemetry.recordToolCall(CALL);
    telemetry.recordToolCall({ ...CALL, durationMs: -1 });
    await telemetry.flush();
    jest.advanceTimersByTime(20_000);
    telemetry.recordToolCall(CALL);
    await telemetry.flush();
    expect(health(db)).toMatchObject([
      { hourStartedAt: START, processId: process.pid, accepted: 2, written: 2, droppedInvalid: 1 },
    ]);
    jest.advanceTimersByTime(3_600_000);
    telemetry.recordToolCall(CALL);
    telemetry.endSession("nobody");
    await telemetry.flush();
    await telemetry.shutdown();
    expect(health(db)).toMatchObject([
      { hourStartedAt: START, accepted: 2 },
      { hourStartedAt: START + 3_600_000, accepted: 2, droppedInvalid: 0 },
    ]);
  });

  test("is not written with each batch, but with the last", async () => {
    const { db, telemetry } = serviceOnSqlite();
    telemetry.recordToolCall(CALL);
    await telemetry.flush();
    jest.advanceTimersByTime(9_000);
    telemetry.recordToolCall(CALL);
    await telemetry.flush();
    expect(health(db)).toMatchObject([{ accepted: 1 }]);
    telemetry.recordToolCall(CALL);
    await telemetry.shutdown();
    expect(health(db)).toMatchObject([{ accepted: 3, written: 3, queuePeak: 1 }]);
  });
});

describe("bad input", () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  let deep: unknown = {};
  for (let i = 0; i < 200_000; i++) deep = { deep };

  // What nobody would pass, at each place where something is taken in.
  const hostile: readonly [string, unknown][] = [
    ["a bigint", 10n],
    ["a bigint over 64 bits", 2n ** 70n],
    ["a circular object", circular],
    [
      "a throwing getter",
      Object.defineProperty({}, "toolName", {
        enumerable: true,
        get: () => {
          throw new Error("getter");
        },
      }),
    ],
    [
      "a throwing toJSON",
      {
        toJSON: () => {
          throw new Error("toJSON");
        },
      },
    ],
    ["an undefined toJSON", { toJSON: () => undefined }],
    ["a revoked proxy", revoked.proxy],
    [
      "a trapping proxy",
      new Proxy(
        {},
        {
          get: () => {
            throw new Error("trap");
          },
          ownKeys: () => {
            throw new Error("trap");
          },
        },
      ),
    ],
    ["a 200,000-deep object", deep],
    ["a symbol", Symbol("s")],
    ["a function", () => 1],
    ["undefined", undefined],
    ["null", null],
    ["NaN", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["minus zero", -0],
    ["an invalid date", new Date(Number.NaN)],
    ["a map", new Map([[1, 2]])],
    ["a set", new Set([1])],
    ["an error", new Error("e")],
    ["a buffer", Buffer.from("b")],
    ["bytes", new Uint8Array(4)],
    ["a 50 MB text", "x".repeat(50_000_000)],
    ["a lone surrogate", "\ud800"],
    ["a NUL", "a\0b"],
    ["an object without prototype", Object.assign(Object.create(null), { a: 1 })],
    ["a __proto__ key", JSON.parse('{"__proto__": {"polluted": true}}')],
    [
      "a getter that throws a revoked proxy",
      Object.defineProperty({}, "toolName", {
        enumerable: true,
        get: () => {
          throw revoked.proxy;
        },
      }),
    ],
    [
      "an object that throws null",
      Object.defineProperty({}, "durationMs", {
        enumerable: true,
        get: () => {
          throw null;
        },
      }),
    ],
    ["an object bound by position", { 0: "a" }],
    ["a boolean", true],
    ["10,000 keys", Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key_${i}`, i]))],
    ["SQL", "'; drop table tool_calls; --"],
    ["emoji and right-to-left text", "👩‍👩‍👧 مرحبا"],
  ];

  test.each(hostile)("%s neither throws nor loses the records around it", async (_name, value) => {
    const { db, telemetry } = serviceOnSqlite({ capturePayloads: true });
    // JavaScript lets a host do what the compiler would not.
    const unchecked =
      (method: "recordToolCall" | "startSession" | "endSession") =>
      (...values: unknown[]): unknown =>
        Reflect.apply(telemetry[method], telemetry, values);
    const record = unchecked("recordToolCall");
    const start = unchecked("startSession");
    const end = unchecked("endSession");
    telemetry.recordToolCall({ ...CALL, toolName: "before" });
    record(value);
    for (const field of Object.keys(FIELDS)) record({ ...CALL, [field]: value });
    record({ ...CALL, attributes: { value }, arguments: { value }, result: [value] });
    start(value, value);
    start("s", value);
    start("s", { clientName: value, attributes: { value } });
    end(value, value);
    end("s", value);
    telemetry.recordToolCall({ ...CALL, toolName: "after" });
    expect(await telemetry.flush()).toEqual({ outcome: "written", remaining: 0 });
    const names = db
      .select()
      .from(toolCalls)
      .all()
      .map(({ toolName }) => toolName);
    expect([names.at(0), names.at(-1)]).toEqual(["before", "after"]);
    expect(telemetry.stats.dropped.unwritable).toBe(0);
    expect(Object.prototype).not.toHaveProperty("polluted");
    expect(
      db.$client
        .query(
          "select count(*) from tool_calls where not json_valid(coalesce(attributes, '1')) or not json_valid(coalesce(result, '1'))",
        )
        .values(),
    ).toEqual([[0]]);
  });

  test("refused metadata is counted, and logged once a minute with what was expected", () => {
    const { telemetry, logger } = serviceOnMemoryWriter();
    for (let i = 0; i < 100; i++)
      telemetry.recordToolCall({ toolName: "", durationMs: Number.NaN });
    expect(telemetry.stats).toMatchObject({ accepted: 0, dropped: { invalid: 100 } });
    const warnings = logger.lines.filter((line) => line.startsWith("warn"));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("toolName");
    expect(warnings[0]).toContain("durationMs");
    jest.advanceTimersByTime(60_000);
    telemetry.recordToolCall({ toolName: "", durationMs: 1 });
    expect(logger.lines.at(-1)).toContain("99 more");
  });

  test("what the caller changes after recording is not stored", async () => {
    const { db, telemetry } = serviceOnSqlite({ capturePayloads: true });
    const metadata = { ...CALL, attributes: { a: 1 }, arguments: { path: "x" } };
    telemetry.recordToolCall(metadata);
    metadata.attributes.a = 2;
    metadata.arguments.path = "y";
    metadata.toolName = "changed";
    await telemetry.flush();
    expect(db.select().from(toolCalls).all()).toMatchObject([
      { toolName: "echo", attributes: { a: 1 }, arguments: { path: "x" } },
    ]);
  });

  test("payloads are stored only on request", async () => {
    const { db, telemetry } = serviceOnSqlite();
    telemetry.recordToolCall({ ...CALL, arguments: { secret: 1 }, result: "secret" });
    await telemetry.flush();
    expect(db.select().from(toolCalls).all()).toMatchObject([{ arguments: null, result: null }]);
  });
});

describe("shutdown()", () => {
  test("writes what waits and ends the open sessions of this service only", async () => {
    const { db, telemetry } = serviceOnSqlite();
    const other = new TelemetryService(db);
    other.startSession("theirs");
    await other.flush();
    telemetry.startSession("ours");
    telemetry.startSession("closed");
    telemetry.endSession("closed", "done");
    telemetry.recordToolCall({ ...CALL, sessionId: "from a call" });
    expect(await telemetry.shutdown()).toEqual({ outcome: "written", remaining: 0 });
    const rows = db.select().from(sessions).all();
    expect(Object.fromEntries(rows.map(({ id, endReason }) => [id, endReason]))).toEqual({
      theirs: null,
      ours: "shutdown",
      closed: "done",
      "from a call": "shutdown",
    });
  });

  test("is one promise for all who call it, and later calls are counted and ignored", async () => {
    const { telemetry, writer, record } = serviceOnMemoryWriter();
    record(3);
    const first = telemetry.shutdown();
    expect(telemetry.shutdown()).toBe(first);
    await first;
    record(2);
    telemetry.startSession("late");
    telemetry.endSession("late");
    expect(await telemetry.flush()).toEqual({ outcome: "written", remaining: 0 });
    expect(await telemetry.shutdown()).toEqual({ outcome: "written", remaining: 0 });
    expect(writer.sizes).toEqual([3]);
    expect(telemetry.stats.dropped.shut_down).toBe(4);
    expect(jest.getTimerCount()).toBe(0);
  });

  test("writes nothing when there is nothing to write", async () => {
    const { telemetry, writer } = serviceOnMemoryWriter();
    await telemetry.shutdown();
    expect(writer.sizes).toEqual([]);
  });

  test("wakes a back-off and tries until it succeeds", async () => {
    const { telemetry, writer, record } = serviceOnMemoryWriter();
    writer.failures = 12;
    record(5);
    for (let i = 0; i < 8; i++) await telemetry.flush();
    const done = telemetry.shutdown();
    await elapse(1_000);
    expect(await done).toEqual({ outcome: "written", remaining: 0 });
    expect(writer.sizes).toEqual([5]);
  });

  test("gives up after shutdownTimeoutMs, says how many are left and counts them", async () => {
    const { telemetry, writer, logger, record } = serviceOnMemoryWriter({ shutdownTimeoutMs: 300 });
    writer.failures = Number.POSITIVE_INFINITY;
    record(7);
    const done = telemetry.shutdown();
    await turn();
    jest.advanceTimersByTime(300);
    expect(await done).toEqual({ outcome: "timed_out", remaining: 7 });
    expect(telemetry.stats).toMatchObject({ queued: 0, dropped: { shutdown_timeout: 7 } });
    expect(logger.lines.at(-1)).toBe(
      "error: Shut down; 7 records could not be written and are lost.",
    );
    expect(jest.getTimerCount()).toBe(0);
  });

  test("`await using` shuts down", async () => {
    const db = createAnalyticsDb(":memory:");
    {
      await using telemetry = new TelemetryService(db);
      telemetry.recordToolCall(CALL);
    }
    expect(db.select().from(toolCalls).all()).toHaveLength(1);
  });

  test("after the database was closed says so instead of throwing", async () => {
    const { db, telemetry, logger } = serviceOnSqlite({ shutdownTimeoutMs: 100 });
    telemetry.recordToolCall(CALL);
    db.close();
    const done = telemetry.shutdown();
    await turn();
    jest.advanceTimersByTime(100);
    expect(await done).toEqual({ outcome: "timed_out", remaining: 1 });
    expect(logger.lines.some((line) => line.includes("Call `shutdown()` before `close()`"))).toBe(
      true,
    );
  });
});

describe("switched off", () => {
  test("every method is a no-op", async () => {
    const { telemetry, writer, logger } = serviceOnMemoryWriter({ enabled: false });
    expect(telemetry.isEnabled).toBe(false);
    telemetry.startSession("s");
    for (let i = 0; i < 100; i++) telemetry.recordToolCall(CALL);
    telemetry.endSession("s");
    expect(jest.getTimerCount()).toBe(0);
    expect(await telemetry.flush()).toEqual({ outcome: "written", remaining: 0 });
    expect(await telemetry.shutdown()).toEqual({ outcome: "written", remaining: 0 });
    expect(telemetry.stats).toMatchObject({ accepted: 0, dropped: { shut_down: 0 } });
    expect([writer.sizes, logger.lines]).toEqual([[], []]);
  });

  test("by TOOLMETER_DISABLED too", () => {
    process.env["TOOLMETER_DISABLED"] = "1";
    try {
      const { telemetry } = serviceOnMemoryWriter();
      telemetry.recordToolCall(CALL);
      expect(telemetry.stats.accepted).toBe(0);
    } finally {
      delete process.env["TOOLMETER_DISABLED"];
    }
  });
});

describe("logging", () => {
  test("tells of the start, sessions, flushes and the end", async () => {
    const { db, telemetry, logger } = serviceOnSqlite();
    telemetry.startSession("s");
    telemetry.recordToolCall({ ...CALL, sessionId: "s" });
    telemetry.endSession("s");
    await telemetry.shutdown();
    expect(logger.lines.map((line) => line.replace(/[\d.]+ ms/, "N ms"))).toEqual([
      `info: Recording tool calls into ${db.path}.`,
      "debug: Session s started.",
      "debug: Session s ended.",
      "debug: Wrote 4 records in N ms.",
      "info: Shut down; everything is written.",
    ]);
  });

  test("a logger that throws or rejects is contained", async () => {
    const explode = () => {
      throw new Error("logger");
    };
    const reject = () => Promise.reject(new Error("logger"));
    for (const level of [explode, reject]) {
      const logger = { debug: level, info: level, warn: level, error: level };
      const { telemetry, writer } = serviceOnMemoryWriter({ logger, batchSize: -1 });
      writer.failures = 1;
      telemetry.startSession("s");
      telemetry.recordToolCall({ toolName: "", durationMs: 1 });
      await telemetry.flush();
      await telemetry.shutdown();
    }
  });

  test("takes console and pino as they are", async () => {
    const lines: string[] = [];
    const logger = pino({ level: "debug" }, { write: (line: string) => lines.push(line) });
    new TelemetryService(createAnalyticsDb(":memory:"), { logger });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      msg: "Recording tool calls into :memory:.",
    });
    const config: TelemetryConfig = { logger: console };
    expect(config.logger).toBe(console);
  });
});

/** Each field of the metadata, so that a new one is tried with hostile values too. */
const FIELDS = {
  toolName: 1,
  durationMs: 1,
  sessionId: 1,
  startedAt: 1,
  status: 1,
  errorType: 1,
  errorCode: 1,
  errorMessage: 1,
  inputBytes: 1,
  outputBytes: 1,
  inputTokens: 1,
  outputTokens: 1,
  tokenMethod: 1,
  outputContentTypes: 1,
  cacheHit: 1,
  argumentHash: 1,
  argumentShapeHash: 1,
  definitionHash: 1,
  continuedFrom: 1,
  requestId: 1,
  traceId: 1,
  parentSpanId: 1,
  clientName: 1,
  clientVersion: 1,
  serverName: 1,
  serverVersion: 1,
  protocolVersion: 1,
  transport: 1,
  arguments: 1,
  result: 1,
  attributes: 1,
} satisfies Record<keyof ToolCallMetadata, 1>;
