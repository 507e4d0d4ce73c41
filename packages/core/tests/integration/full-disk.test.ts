import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { TelemetryService, createAnalyticsDb, toolCalls } from "../../src/analytics/index.ts";
import { FileWriter } from "../../src/analytics/writing/file-writer.ts";
import { openAnalyticsReader } from "../../src/analytics/database/reader.ts";
import { describeFailure, failureOf } from "../support/failure.ts";
import { memoryLogger } from "../support/memory-logger.ts";
import { call } from "../support/records.ts";
import { fillUp, smallDisk } from "@toolmeter/testing/small-disk";

const CALL = { toolName: "echo", durationMs: 1, sessionId: "s" };

const disk = smallDisk(2);

afterAll(() => disk[Symbol.dispose]());

describe.skipIf(!disk.isMounted)("on a full disk", () => {
  test("calls are kept in memory, counted as such, and written when there is room", async () => {
    const logger = memoryLogger();
    using db = createAnalyticsDb(join(disk.path, "a.db"));
    await using telemetry = new TelemetryService(db, { logger, capturePayloads: true });
    const record = (count: number) => {
      for (let index = 0; index < count; index += 1) {
        telemetry.recordToolCall({ ...CALL, result: "x".repeat(1_000) });
      }
    };
    record(20);
    await telemetry.flush();

    using full = fillUp(disk.path);
    record(300);
    expect(await telemetry.flush()).toMatchObject({
      outcome: "failed",
      error: { code: "full", message: expect.stringContaining("Free some space") },
    });
    expect(telemetry.stats.unjournaled).toBeGreaterThan(0);
    expect(logger.lines).toContainEqual(
      expect.stringMatching(/^warn: Expected to write the journal .*no space left/),
    );
    expect(db.select().from(toolCalls).all()).toHaveLength(20);

    full.free();
    while ((await telemetry.flush()).remaining > 0);
    record(1);
    await telemetry.flush();
    expect(db.select().from(toolCalls).all()).toHaveLength(321);
    expect(telemetry.stats).toMatchObject({ written: 321, queued: 0 });
    expect(db.$client.query("pragma integrity_check").values()).toEqual([["ok"]]);
  });

  test("each way to meet it says so, though SQLite calls some an I/O error", async () => {
    const file = join(disk.path, "met.db");
    createAnalyticsDb(file).close();
    const reopen: Record<string, () => unknown> = {
      createAnalyticsDb: () => createAnalyticsDb(file),
      openAnalyticsReader: () => openAnalyticsReader(file),
      "a writer": () => new FileWriter(file, "recorder", () => undefined).write([call()]),
    };
    using _ = fillUp(disk.path);
    for (const [name, meet] of Object.entries(reopen)) {
      const failure: unknown = await Promise.try(meet).then(() => undefined, describeFailure);
      expect({ name, failure }).toMatchObject({
        name,
        failure: {
          code: "full",
          message: expect.stringMatching(/is full\. Free some space.*prune/),
        },
      });
    }
  });

  test("a disk without room for another file is full too", () => {
    using crowded = smallDisk(2, "nr_inodes=20");
    createAnalyticsDb(join(crowded.path, "a.db")).close();
    for (let index = 0; index < 20; index += 1) {
      try {
        writeFileSync(join(crowded.path, `${index}`), "");
      } catch {
        // No more files.
      }
    }
    expect(failureOf(() => createAnalyticsDb(join(crowded.path, "a.db")))).toMatchObject({
      code: "full",
    });
  });

  test("a new database is refused with the reason, and can be made when there is room", () => {
    const file = join(disk.path, "new.db");
    const full = fillUp(disk.path);
    let failure;
    try {
      createAnalyticsDb(file);
    } catch (error) {
      failure = describeFailure(error);
    }
    expect(failure).toMatchObject({ code: "full", path: file });
    full.free();
    createAnalyticsDb(file).close();
  });
});
