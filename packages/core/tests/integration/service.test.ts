import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { extname } from "node:path";
import { z } from "zod";
import {
  type TelemetryConfig,
  TelemetryService,
  createAnalyticsDb,
  recorderHealth,
  toolCalls,
} from "../../src/analytics/index.ts";
import { journalDirectory } from "../../src/analytics/file/journal-directory.ts";
import { memoryLogger } from "../support/memory-logger.ts";
import { runScript, specifier } from "../support/run-script.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { until } from "@toolmeter/testing/until";

const CALL = { toolName: "echo", durationMs: 1, sessionId: "s" };

/** A service on a file, its worker and its journal for real. */
function setUp(config: TelemetryConfig = {}) {
  const directory = temporaryDirectory();
  const db = createAnalyticsDb(directory.file("a.db"));
  const logger = memoryLogger();
  const telemetry = new TelemetryService(db, { logger, ...config });
  return {
    directory,
    db,
    telemetry,
    journal: journalDirectory(db.path),
    warnings: () => logger.lines.filter((line) => !/^(debug|info)/.test(line)),
    count: () => db.select().from(toolCalls).all().length,
    async [Symbol.asyncDispose]() {
      await telemetry.shutdown();
      db.close();
      directory[Symbol.dispose]();
    },
  };
}

/** What a process has of the system. */
const seen = z.object({ listeners: z.string(), descriptors: z.number(), threads: z.number() });

describe("a service on a file", () => {
  test("writes by a worker, journals meanwhile, and leaves nothing but the database", async () => {
    await using store = setUp();
    for (let index = 0; index < 1_234; index += 1) store.telemetry.recordToolCall(CALL);
    const files = readdirSync(store.journal).map((name) => extname(name) || name.slice(36));
    expect(files.toSorted()).toEqual(["-shm", "-wal", ".jsonl", ".lock", ".owner"]);
    expect(await store.telemetry.flush()).toEqual({ outcome: "written", remaining: 0 });
    expect(store.count()).toBe(1_234);
    expect(await store.telemetry.shutdown()).toEqual({ outcome: "written", remaining: 0 });
    expect(readdirSync(store.journal)).toEqual([]);
    expect(store.warnings()).toEqual([]);
  });

  test("says what it cost", async () => {
    await using store = setUp();
    for (let index = 0; index < 200; index += 1) store.telemetry.recordToolCall(CALL);
    await store.telemetry.flush();
    const { stats } = store.telemetry;
    expect(stats).toMatchObject({ accepted: 200, written: 200, queuePeak: 200, unjournaled: 0 });
    for (const cost of [stats.recordingMs, stats.walBytes, stats.journalBytes]) {
      expect(cost).toBeGreaterThan(0);
    }
    expect(stats.commitMs.max).toBeGreaterThanOrEqual(stats.commitMs.p50);
    expect(stats.flushMs.p50).toBeGreaterThan(stats.commitMs.p50 / 2);
    expect(stats.flushMs.count).toBe(stats.commitMs.count);
  });

  test("writes through other processes' locks, for as long as it takes", async () => {
    await using store = setUp();
    using holder = new Database(store.db.path);
    holder.run("begin immediate");
    for (let index = 0; index < 120; index += 1) store.telemetry.recordToolCall(CALL);
    expect(await store.telemetry.flush()).toMatchObject({ outcome: "failed", remaining: 120 });
    holder.run("rollback");
    expect(await store.telemetry.flush()).toMatchObject({ outcome: "written" });
    expect(store.count()).toBe(120);
    expect(store.telemetry.stats.dropped.queue_full).toBe(0);
  });

  test("shut down while the file is locked, leaves its records in the journal for the next who opens", async () => {
    await using store = setUp({ shutdownTimeoutMs: 200 });
    using holder = new Database(store.db.path);
    holder.run("begin immediate");
    for (let index = 0; index < 5; index += 1) store.telemetry.recordToolCall(CALL);
    expect(await store.telemetry.shutdown()).toEqual({ outcome: "timed_out", remaining: 6 });
    expect(store.telemetry.stats.dropped.shutdown_timeout).toBe(0);
    expect(store.warnings().at(-1)).toContain("6 records wait in the journal");
    holder.run("rollback");
    using again = createAnalyticsDb(store.db.path);
    expect(again.recovery.records).toBe(6);
    expect(again.select().from(toolCalls).all()).toHaveLength(5);
  });

  test("shut down while the file is locked, without a journal, counts what is lost", async () => {
    await using store = setUp({ shutdownTimeoutMs: 100, journal: false });
    using holder = new Database(store.db.path);
    holder.run("begin immediate");
    store.telemetry.recordToolCall({ toolName: "echo", durationMs: 1 });
    expect(await store.telemetry.shutdown()).toEqual({ outcome: "timed_out", remaining: 1 });
    // The write under way is given up when it fails.
    await until(() => store.telemetry.stats.dropped.shutdown_timeout > 0);
    expect(store.telemetry.stats).toMatchObject({
      leftInJournal: 0,
      dropped: { shutdown_timeout: 1 },
    });
    holder.run("rollback");
  });

  test("without a worker writes in the calling thread, the same records", async () => {
    await using store = setUp({ worker: false });
    store.telemetry.recordToolCall(CALL);
    await store.telemetry.flush();
    expect(store.count()).toBe(1);
  });

  test("bounds what waits by its length too", async () => {
    await using store = setUp({ capturePayloads: true, maxQueueBytes: 100_000 });
    using holder = new Database(store.db.path);
    holder.run("begin immediate");
    for (let index = 0; index < 10; index += 1) {
      store.telemetry.recordToolCall({ ...CALL, result: "x".repeat(30_000) });
    }
    expect(store.telemetry.stats).toMatchObject({ accepted: 4, dropped: { queue_full: 6 } });
    holder.run("rollback");
  });

  test("writes large payloads in small messages, and all of them", async () => {
    await using store = setUp({ capturePayloads: true });
    for (let index = 0; index < 50; index += 1) {
      store.telemetry.recordToolCall({ ...CALL, result: "x".repeat(60_000) });
    }
    await store.telemetry.flush();
    expect(store.count()).toBe(50);
    expect(store.telemetry.stats.flushMs.count).toBeGreaterThan(10);
  });

  test("removes what its retention does not keep, when the worker is idle", async () => {
    await using store = setUp({ retention: { maxAgeDays: 1 } });
    const now = Date.now();
    store.telemetry.recordToolCall({ ...CALL, startedAt: now - 2 * 86_400_000 });
    store.telemetry.recordToolCall({ ...CALL, startedAt: now });
    await store.telemetry.flush();
    expect(store.count()).toBe(2);
    await until(() => store.count() <= 1);
    expect(store.db.select().from(toolCalls).all()).toMatchObject([{ startedAt: now }]);
  });

  test("removes what its retention does not keep, while records keep arriving", async () => {
    await using store = setUp({ retention: { maxAgeDays: 1 }, batchSize: 10 });
    const now = Date.now();
    for (let i = 0; i < 2_000; i += 1)
      store.telemetry.recordToolCall({ ...CALL, startedAt: now - 2 * 86_400_000 });
    await store.telemetry.flush();
    const expired = store.db.$client.query<{ count: number }, [number]>(
      "select count(*) as count from tool_calls where started_at_ms < ?",
    );
    const count = () => expired.get(now - 86_400_000)?.count;
    expect(count()).toBe(2_000);
    let recorded = 0;
    // Never idle: each write follows the one before.
    while (count() !== 0 && recorded < 400) {
      recorded += 1;
      store.telemetry.recordToolCall({ ...CALL, startedAt: Date.now() });
      await store.telemetry.flush();
      await Bun.sleep(10);
    }
    expect(count()).toBe(0);
    expect(store.count()).toBe(recorded);
  }, 20_000);

  test("removes the oldest calls beyond its size, while records keep arriving", async () => {
    await using store = setUp({ retention: { maxSizeMb: 1 }, batchSize: 10 });
    const record = (requestId: string) => {
      store.telemetry.recordToolCall({ ...CALL, requestId, errorMessage: "x".repeat(900) });
      return store.telemetry.flush();
    };
    const [pages, ids] = [
      "select (page_count - freelist_count) * page_size from pragma_page_count, pragma_freelist_count, pragma_page_size",
      "select request_id from tool_calls order by sequence",
    ].map((sql) => () => store.db.$client.query(sql).values().flat());
    const usedBytes = () => Number(pages?.()[0]);
    for (let i = 0; i < 3_000; i += 1) void record(`old ${i}`);
    await store.telemetry.flush();
    expect(usedBytes()).toBeGreaterThan(2_000_000);
    let recorded = 0;
    // Never idle: each write follows the one before.
    while (usedBytes() > 1_000_000 && recorded < 400) {
      await record(`new ${recorded}`);
      recorded += 1;
      await Bun.sleep(10);
    }
    expect(usedBytes()).toBeLessThanOrEqual(1_000_000);
    const left = ids?.() ?? [];
    const all = [
      ...Array(3_000)
        .keys()
        .map((i) => `old ${i}`),
      ...Array(recorded)
        .keys()
        .map((i) => `new ${i}`),
    ];
    expect(left.length).toBeGreaterThan(recorded);
    expect(left).toEqual(all.slice(-left.length));
  }, 20_000);

  test("warns when it cannot journal, and records all the same", async () => {
    using directory = temporaryDirectory();
    const db = createAnalyticsDb(directory.file("a.db"));
    writeFileSync(journalDirectory(db.path), "");
    const logger = memoryLogger();
    await using telemetry = new TelemetryService(db, { logger });
    telemetry.recordToolCall(CALL);
    await telemetry.flush();
    expect(logger.lines).toContainEqual(
      expect.stringMatching(/^warn: Expected to write the journal /),
    );
    expect(db.select().from(toolCalls).all()).toHaveLength(1);
  });

  test("goes on in a new file when the database is removed", async () => {
    await using store = setUp();
    store.telemetry.recordToolCall(CALL);
    await store.telemetry.flush();
    rmSync(store.directory.path, { recursive: true });
    store.telemetry.recordToolCall({ ...CALL, toolName: "after" });
    while ((await store.telemetry.flush()).remaining > 0);
    using again = createAnalyticsDb(store.db.path);
    expect(again.select().from(toolCalls).all()).toMatchObject([{ toolName: "after" }]);
    expect(store.warnings()).toContainEqual(expect.stringContaining("moved, removed or replaced"));
  });

  test("at the end of the process writes what waits, what is in flight, and the end of sessions", async () => {
    await using store = setUp();
    store.telemetry.recordToolCall(CALL);
    store.telemetry.startToolCall({ toolName: "slow" });
    process.emit("exit", 0);
    expect(
      store.db.select({ name: toolCalls.toolName, status: toolCalls.status }).from(toolCalls).all(),
    ).toEqual([
      { name: "echo", status: "success" },
      { name: "slow", status: "abandoned" },
    ]);
    expect(store.db.select().from(recorderHealth).all()).toMatchObject([
      { accepted: 3, written: 3, recovered: 0 },
    ]);
    expect(readdirSync(store.journal)).toEqual([]);
  });

  test("at the end of the process leaves to the journal what it cannot write", async () => {
    await using store = setUp();
    using holder = new Database(store.db.path);
    holder.run("begin immediate");
    store.telemetry.recordToolCall(CALL);
    process.emit("exit", 0);
    holder.run("rollback");
    using again = createAnalyticsDb(store.db.path);
    expect(again.recovery.records).toBe(2);
  });

  test("at the end of the process, without a journal, says what is lost", async () => {
    await using store = setUp({ journal: false, shutdownTimeoutMs: 0 });
    using holder = new Database(store.db.path);
    holder.run("begin immediate");
    store.telemetry.recordToolCall({ toolName: "echo", durationMs: 1 });
    process.emit("exit", 0);
    expect(store.warnings()).toEqual([
      expect.stringMatching(
        /^error: The process is ending, and 1 records could not be written and are lost \(/,
      ),
    ]);
    holder.run("rollback");
  });

  // Where the system lists a process's descriptors and threads.
  test.skipIf(process.platform !== "linux")(
    "300 times created and shut down, leaves listeners, descriptors and threads as they were",
    async () => {
      using directory = temporaryDirectory();
      const { exitCode, stdout, stderr } = await runScript(`
        import { readdirSync } from "node:fs";
        import { TelemetryService, createAnalyticsDb } from ${specifier("index")};
        using db = createAnalyticsDb(${JSON.stringify(directory.file("a.db"))});
        const cycle = async (records) => {
          await using telemetry = new TelemetryService(db);
          for (let index = 0; index < records; index += 1)
            telemetry.recordToolCall({ toolName: "echo", durationMs: 1 });
        };
        const look = () => ({
          listeners: ["exit", "SIGINT", "SIGTERM", "SIGHUP"].map((event) => process.listenerCount(event)).join(),
          descriptors: readdirSync("/proc/self/fd").length,
          threads: readdirSync("/proc/self/task").length,
        });
        await cycle(1);
        const before = look();
        // A worker takes some milliseconds to start: one in twenty has one.
        for (let index = 0; index < 300; index += 1) await cycle(index % 20 === 0 ? 1 : 0);
        // The threads of workers that ended close their files a moment later.
        for (let tries = 0; tries < 50 && look().descriptors > before.descriptors; tries += 1) await Bun.sleep(100);
        console.log(JSON.stringify({ before, after: look() }));`);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      const { before, after } = z.object({ before: seen, after: seen }).parse(JSON.parse(stdout));
      expect(after.listeners).toBe(before.listeners);
      expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
      expect(after.threads).toBeLessThanOrEqual(before.threads + 2);
      const file = directory.file("a.db");
      expect(readdirSync(journalDirectory(file))).toEqual([]);
      using db = createAnalyticsDb(file);
      expect(db.select().from(toolCalls).all()).toHaveLength(16);
    },
    60_000,
  );
});

test("calls that start or end after the shutdown are counted, and no journal is blamed", async () => {
  await using store = setUp();
  const call = store.telemetry.startToolCall({ toolName: "slow" });
  await store.telemetry.shutdown();
  call.end({ status: "success" }, () => ({ outputBytes: 1 }));
  store.telemetry.startToolCall({ toolName: "late" }).end();
  await store.telemetry.flush();
  expect(store.telemetry.stats).toMatchObject({ unjournaled: 0, dropped: { shut_down: 2 } });
  expect(store.warnings()).toEqual([expect.stringContaining("the service was shut down")]);
});
