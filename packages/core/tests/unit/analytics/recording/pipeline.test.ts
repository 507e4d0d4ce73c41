import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { journalDirectory } from "../../../../src/analytics/file/journal-directory.ts";
import { type TelemetryConfig, resolveConfig } from "../../../../src/analytics/recording/config.ts";
import { Pipeline, type PipelineOptions } from "../../../../src/analytics/recording/pipeline.ts";
import { Reporter } from "../../../../src/analytics/recording/reporter.ts";
import { Tally } from "../../../../src/analytics/recording/tally.ts";
import { type TelemetryRecord, encodeCall } from "../../../../src/analytics/records/record.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { until } from "@toolmeter/testing/until";
import { memoryLogger } from "../../../support/memory-logger.ts";

const line = (toolName = "echo", id = Bun.randomUUIDv7()) =>
  encodeCall(id, 1_000, { toolName, durationMs: 1 });

function setUp(path: string, config: TelemetryConfig = {}, options: Partial<PipelineOptions> = {}) {
  const tally = new Tally(new Reporter(memoryLogger()));
  const pipeline = new Pipeline({
    destination: { path },
    recorderId: Bun.randomUUIDv7(),
    config: resolveConfig({ worker: false, logger: memoryLogger(), ...config }),
    tally,
    ...options,
  });
  return { pipeline, tally };
}

/** A pipeline into a writer that keeps what it gets. */
function toWriter(config: TelemetryConfig = {}) {
  const batches: (readonly TelemetryRecord[])[] = [];
  const writer = {
    write: async (batch: readonly TelemetryRecord[]) => {
      batches.push(batch);
      return [];
    },
  };
  return { batches, ...setUp(":memory:", config, { writer }) };
}

const tools = (path: string) => {
  using db = createAnalyticsDb(path);
  return {
    tools: db.$client.query("select tool_name from tool_calls order by sequence").values().flat(),
    recovered: db.recovery.records,
    healthRows: db.$client.query("select count(*) from recorder_health").values().flat(),
  };
};

describe("into a file", () => {
  test("accepted lines are journalled at once, written at a flush, and gone from the journal at the end", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const { pipeline } = setUp(path);
    pipeline.accept(line("a"));
    expect(pipeline.stats).toMatchObject({ accepted: 1, written: 0, queued: 1 });
    expect(pipeline.stats.journalBytes).toBeGreaterThan(0);
    expect(await pipeline.flush()).toEqual({ outcome: "written", remaining: 0 });
    expect(pipeline.stats).toMatchObject({ accepted: 1, written: 1, queued: 0 });
    expect(await pipeline.close(1_000, [{ line: line("last") }])).toMatchObject({
      outcome: "written",
    });
    expect([...new Bun.Glob("*").scanSync(journalDirectory(path))]).toEqual([]);
    expect(tools(path)).toEqual({ tools: ["a", "last"], recovered: 0, healthRows: [1] });
  });

  test("lines that cannot be written at the end stay in the journal", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    using holder = createAnalyticsDb(path);
    holder.$client.run("begin immediate");
    const { pipeline } = setUp(path);
    pipeline.accept(line("a"));
    expect(await pipeline.close(50, [])).toEqual({ outcome: "timed_out", remaining: 1 });
    // The write that was under way has failed by then.
    await until(() => pipeline.stats.leftInJournal === 1);
    expect(pipeline.stats.dropped.shutdown_timeout).toBe(0);
    holder.$client.run("rollback");
    expect(tools(path)).toMatchObject({ tools: ["a"], recovered: 1 });
  });

  test("at the end of the process lines are written in this thread, or stay in the journal", () => {
    using directory = temporaryDirectory();
    const [free, locked] = [directory.file("free.db"), directory.file("locked.db")];
    const first = setUp(free).pipeline;
    first.accept(line("a"));
    first.closeNow([{ line: line("last") }]);
    expect(tools(free)).toMatchObject({ tools: ["a", "last"], recovered: 0 });

    using holder = createAnalyticsDb(locked);
    holder.$client.run("begin immediate");
    const second = setUp(locked).pipeline;
    second.accept(line("a"));
    expect(() => second.closeNow([{ line: line("last") }])).toThrow("locked");
    expect(second.stats.leftInJournal).toBe(2);
    holder.$client.run("rollback");
    expect(tools(locked)).toMatchObject({ tools: ["a", "last"], recovered: 2 });
  });

  test("a call in flight is in the journal until it ends or is settled", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    using holder = createAnalyticsDb(path);
    holder.$client.run("begin immediate");
    const { pipeline } = setUp(path);
    pipeline.follow("ended", line("started", "ended"));
    pipeline.follow("settled", line("settled", "settled"));
    pipeline.accept(line("ended", "ended"), "ended");
    pipeline.settle("settled");
    await pipeline.close(50, []);
    holder.$client.run("rollback");
    expect(tools(path)).toMatchObject({ tools: ["ended"], recovered: 1 });
  });
});

test("a call in flight whose end finds the queue full leaves the journal", async () => {
  using directory = temporaryDirectory();
  const path = directory.file("a.db");
  using holder = createAnalyticsDb(path);
  holder.$client.run("begin immediate");
  const { pipeline } = setUp(path, { maxQueueSize: 1 });
  pipeline.follow("refused", line("refused", "refused"));
  pipeline.accept(line("a"));
  pipeline.accept(line("refused", "refused"), "refused");
  expect(pipeline.stats.dropped.queue_full).toBe(1);
  await pipeline.close(50, []);
  holder.$client.run("rollback");
  expect(tools(path)).toMatchObject({ tools: ["a"], recovered: 1 });
});

describe("into a writer of the host's", () => {
  test("batches have at most `batchSize` records, and nothing that the host did not record", async () => {
    const { pipeline, batches } = toWriter({ batchSize: 3 });
    for (let i = 0; i < 7; i++) pipeline.accept(line());
    await pipeline.flush();
    expect(batches.map(({ length }) => length)).toEqual([3, 3, 1]);
    expect(new Set(batches.flat().map(({ kind }) => kind))).toEqual(new Set(["tool_call"]));
    expect(pipeline.isOnFile).toBe(false);
  });

  test("no journal is made", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const { pipeline } = setUp(path, {}, { writer: { write: async () => [] } });
    pipeline.accept(line());
    await pipeline.close(1_000, []);
    expect([existsSync(path), existsSync(journalDirectory(path))]).toEqual([false, false]);
  });
});

describe("what is not accepted is counted", () => {
  test("while the queue is full", async () => {
    const { pipeline } = toWriter({ maxQueueSize: 2 });
    for (let i = 0; i < 5; i++) pipeline.accept(line());
    expect(pipeline.stats).toMatchObject({ accepted: 2, dropped: { queue_full: 3 } });
    await pipeline.flush();
    pipeline.accept(line());
    expect(pipeline.stats).toMatchObject({ accepted: 3, dropped: { queue_full: 3 } });
  });

  test("after the end", async () => {
    const { pipeline } = toWriter();
    await pipeline.close(1_000, []);
    pipeline.accept(line());
    expect(pipeline.stats).toMatchObject({ accepted: 0, dropped: { shut_down: 1 } });
  });
});
