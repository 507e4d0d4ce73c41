/** A service on a path: its writer opens the file and takes in what dead processes left, after the service began. */
import { Database } from "bun:sqlite";
import { describe, expect, jest, spyOn, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  AnalyticsError,
  type TelemetryConfig,
  TelemetryService,
  createAnalyticsDb,
  recorderHealth,
  sessions,
  toolCalls,
} from "../../src/analytics/index.ts";
import { BackgroundRecovery } from "../../src/analytics/writing/background-recovery.ts";
import { journalDirectory } from "../../src/analytics/file/journal-directory.ts";
import { openAnalyticsReader } from "../../src/analytics/database/reader.ts";
import { encodeCall } from "../../src/analytics/records/record.ts";
import { memoryLogger } from "../support/memory-logger.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { until } from "@toolmeter/testing/until";

const CALL = { toolName: "echo", durationMs: 1 };

/** Leaves the journals of dead recorders, two files each. */
function leave(path: string, recorders: number, callsAFile: number): number {
  mkdirSync(journalDirectory(path), { recursive: true });
  for (let recorder = 0; recorder < recorders; recorder += 1) {
    const id = Bun.randomUUIDv7();
    for (const number of [1, 2]) {
      const lines = Array.from({ length: callsAFile }, () =>
        encodeCall(Bun.randomUUIDv7(), 1_000, { ...CALL, sessionId: id, startedAt: 1_000 }),
      );
      writeFileSync(join(journalDirectory(path), `${id}-${number}.jsonl`), lines.join(""));
    }
  }
  return recorders * 2 * callsAFile;
}

function begin(path: string, config: TelemetryConfig = {}) {
  const logger = memoryLogger();
  const telemetry = new TelemetryService(path, { logger, ...config });
  return {
    telemetry,
    warnings: () => logger.lines.filter((line) => !/^(debug|info)/.test(line)),
    async recovered(count: number) {
      await until(() => telemetry.stats.recovered >= count);
      return telemetry.stats.recovered;
    },
  };
}

const segments = (path: string) =>
  readdirSync(journalDirectory(path)).filter((name) => name.endsWith(".jsonl"));

describe("a service on a path", () => {
  test.each([
    ["in its worker", {}],
    ["in the calling thread", { worker: false }],
    ["where the worker cannot run", { worker: "/nowhere/writer.worker.ts" }],
  ] as const)("takes in dead journals %s, after it began", async (_name, config) => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const left = leave(path, 3, 700);
    const service = begin(path, config);
    service.telemetry.recordToolCall(CALL);
    // Nothing was done on this stack: the files lie there, and there is no database yet.
    expect(segments(path)).toHaveLength(3 * 2 + 1);
    expect(existsSync(path)).toBe(false);
    expect(service.telemetry.stats).toMatchObject({ accepted: 1, unjournaled: 0, recovered: 0 });
    expect(await service.recovered(left)).toBe(left);
    await until(() => segments(path).length === 1);
    expect(await service.telemetry.shutdown()).toEqual({ outcome: "written", remaining: 0 });
    expect(readdirSync(journalDirectory(path))).toEqual([]);
    expect(service.warnings()).toHaveLength("worker" in config && config.worker ? 1 : 0);
    using db = createAnalyticsDb(path);
    expect(db.recovery.records).toBe(0);
    expect(db.select().from(toolCalls).all()).toHaveLength(left + 1);
    expect(
      new Set(
        db
          .select()
          .from(sessions)
          .all()
          .map(({ endReason }) => endReason),
      ),
    ).toEqual(new Set(["stale"]));
    expect(db.select().from(recorderHealth).all()).toMatchObject([{ recovered: left }]);
  });

  test("writes its own batches while it takes in a large journal", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const left = leave(path, 1, 5_000);
    const service = begin(path);
    await service.recovered(1);
    service.telemetry.recordToolCall({ ...CALL, toolName: "own" });
    expect(await service.telemetry.flush()).toMatchObject({ outcome: "written" });
    const atFlush = service.telemetry.stats.recovered;
    expect(atFlush).toBeLessThan(left);
    expect(await service.recovered(left)).toBe(left);
    await service.telemetry.shutdown();
  });

  test("is no hurry's end: what is not taken in at its shutdown is there for the next", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const left = leave(path, 2, 5_000);
    const service = begin(path);
    await service.recovered(1);
    await service.telemetry.shutdown();
    expect(service.telemetry.stats.recovered).toBeLessThan(left);
    using db = createAnalyticsDb(path);
    expect(db.select().from(toolCalls).all()).toHaveLength(left);
    expect(readdirSync(journalDirectory(path))).toEqual([]);
    expect(service.warnings()).toEqual([]);
  });

  test.each([
    ["starts no thread where there is nothing to take in", 0],
    ["starts a thread for the journal of a dead process", 1],
  ])("%s", async (_name, recorders) => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    leave(path, recorders, 1);
    jest.useFakeTimers();
    const worker = spyOn(globalThis, "Worker");
    const service = begin(path);
    try {
      jest.advanceTimersByTime(10_000);
      expect(worker).toHaveBeenCalledTimes(recorders);
    } finally {
      worker.mockRestore();
      jest.useRealTimers();
    }
    await service.telemetry.shutdown();
  });

  test.each([
    ["a directory", "is_directory", (path: string) => mkdirSync(path)],
    [
      "a file that is no database",
      "not_a_database",
      (path: string) => writeFileSync(path, "a letter ".repeat(100)),
    ],
    [
      "another program's database",
      "foreign_database",
      (path: string) => {
        using other = new Database(path);
        other.run("create table notes (text)");
      },
    ],
    [
      "another program's database in WAL mode",
      "foreign_database",
      (path: string) => {
        using other = new Database(path);
        other.run("pragma journal_mode = wal");
        other.run("create table notes (text)");
      },
    ],
    [
      "a file of a newer Toolmeter",
      "newer_schema",
      (path: string) => {
        using db = createAnalyticsDb(path);
        db.$client.run("pragma user_version = 999");
      },
    ],
  ])("throws for %s, and leaves nothing beside it", (_name, code, make) => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    make(path);
    let thrown: unknown;
    try {
      begin(path);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(AnalyticsError);
    expect(thrown).toMatchObject({ code });
    expect(readdirSync(directory.path)).toEqual(["a.db"]);
  });

  test("in memory, or switched off, opens no file", async () => {
    using directory = temporaryDirectory();
    const inMemory = begin(":memory:");
    inMemory.telemetry.recordToolCall(CALL);
    expect(await inMemory.telemetry.flush()).toEqual({ outcome: "written", remaining: 0 });
    await inMemory.telemetry.shutdown();
    const off = begin(directory.file("a.db"), { enabled: false });
    off.telemetry.recordToolCall(CALL);
    await off.telemetry.shutdown();
    expect(readdirSync(directory.path)).toEqual([]);
  });
});

describe("background recovery", () => {
  test("waits for a lock, and says nothing of it", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    createAnalyticsDb(path).close();
    const left = leave(path, 1, 10);
    const holder = new Database(path);
    holder.run("begin immediate");
    const warnings: string[] = [];
    const taken: number[] = [];
    const recovery = new BackgroundRecovery({
      path,
      warn: (message) => warnings.push(message),
      imported: (count) => taken.push(count),
    });
    recovery.start();
    // The lock is held for a while, so that it is met.
    await Bun.sleep(50);
    expect(segments(path)).toHaveLength(2);
    holder.close();
    await until(() => taken.length === 2);
    recovery.stop();
    expect(taken).toEqual([left / 2, left / 2]);
    expect(warnings).toEqual([]);
  });

  test("is waited for by a reader, whose answers hold all of it", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    createAnalyticsDb(path).close();
    const left = leave(path, 1, 5_000);
    const service = begin(path);
    await service.recovered(1);
    using reader = await openAnalyticsReader(path);
    expect(reader.$client.query("select count(*) from tool_calls").values()).toEqual([[left]]);
    await service.telemetry.shutdown();
    expect(service.warnings()).toEqual([]);
  });
});

test("a reader finds calls whose recorder was killed before there was a file", async () => {
  using directory = temporaryDirectory();
  const path = directory.file("a.db");
  const left = leave(path, 1, 5);
  using reader = await openAnalyticsReader(path);
  expect(reader.$client.query("select count(*) from tool_calls").values()).toEqual([[left]]);
});
