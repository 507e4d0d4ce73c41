import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import fc from "fast-check";
import pino from "pino";
import {
  type TelemetryConfig,
  TelemetryService,
  createAnalyticsDb,
  sessions,
  toolCalls,
} from "../../../src/analytics/index.ts";
import { elapse, turn } from "../../support/event-loop.ts";
import { CALL, START, serviceOnMemoryWriter, serviceOnSqlite } from "../../support/service.ts";

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
