import { describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { resolveConfig } from "../../../../src/analytics/recording/config.ts";
import { createLineWriter, writeNow } from "../../../../src/analytics/recording/line-writers.ts";
import type { TelemetryConfig } from "../../../../src/analytics/recording/config.ts";
import { encodeCall } from "../../../../src/analytics/records/record.ts";
import { InlineLineWriter } from "../../../../src/analytics/writing/line-writer.ts";
import { WorkerLineWriter } from "../../../../src/analytics/writing/worker-line-writer.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const line = (toolName: string) =>
  encodeCall(Bun.randomUUIDv7(), 1_000, { toolName, durationMs: 1 });

const tools = (client: Database) =>
  client.query("select tool_name from tool_calls order by sequence").values().flat();

const options = (path: string, config: TelemetryConfig = {}) => ({
  destination: { path },
  recorderId: Bun.randomUUIDv7(),
  config: resolveConfig(config),
});

describe("lines are written", () => {
  test.each([
    ["by a thread of their own", {}, WorkerLineWriter],
    ["in the calling thread on request", { worker: false }, InlineLineWriter],
  ])("%s", async (_name, config, kind) => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const writer = createLineWriter(options(path, config), () => undefined);
    expect(writer).toBeInstanceOf(kind);
    expect(await Bun.file(path).exists()).toBe(false);
    expect(await writer.write([line("a"), line("b")])).toEqual([]);
    await writer.close(5_000);
    using client = new Database(path, { readonly: true });
    expect(tools(client)).toEqual(["a", "b"]);
  });

  test("into a database in memory through its own connection", async () => {
    using db = createAnalyticsDb(":memory:");
    const writer = createLineWriter({ ...options(db.path), destination: db }, () => undefined);
    expect(writer).toBeInstanceOf(InlineLineWriter);
    await writer.write([line("a")]);
    expect(tools(db.$client)).toEqual(["a"]);
  });

  test("into a writer of the host's, and nowhere else", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const kinds: string[] = [];
    const writer = createLineWriter(
      {
        ...options(path),
        writer: {
          write: async (batch) => {
            kinds.push(...batch.map(({ kind }) => kind));
            return [];
          },
        },
      },
      () => undefined,
    );
    await writer.write([line("a")]);
    await writer.close(0);
    expect(kinds).toEqual(["tool_call"]);
    expect(await Bun.file(path).exists()).toBe(false);
  });
});

describe("at the end of a process lines are written", () => {
  test("in the calling thread, and those that are no records are named", () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const rejections = writeNow(options(path), ["{", line("a")], 1_000);
    expect(rejections.map(({ index }) => index)).toEqual([0]);
    using client = new Database(path, { readonly: true });
    expect(tools(client)).toEqual(["a"]);
  });

  test("or not at all, if another process holds the lock for longer", () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    using holder = createAnalyticsDb(path);
    holder.$client.run("begin immediate");
    expect(() => writeNow(options(path), [line("a")], 30)).toThrow("locked");
    holder.$client.run("rollback");
    expect(tools(holder.$client)).toEqual([]);
  });
});
