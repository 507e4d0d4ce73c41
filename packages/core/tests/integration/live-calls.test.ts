import { describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createAnalyticsDb } from "../../src/analytics/database/database.ts";
import { journalDirectory } from "../../src/analytics/file/journal-directory.ts";
import { recordingLag } from "../../src/analytics/queries/lag.ts";
import { LiveCallFollower } from "../../src/analytics/queries/live-calls.ts";
import { openAnalyticsReader } from "../../src/analytics/database/reader.ts";
import { TelemetryService } from "../../src/analytics/telemetry.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const names = (calls: readonly { readonly toolName: string }[]) =>
  calls.map(({ toolName }) => toolName);

describe("LiveCallFollower", () => {
  test("shows calls when they start and when they end, before they are in the file", async () => {
    using directory = temporaryDirectory();
    using db = createAnalyticsDb(directory.file("a.db"));
    await using telemetry = new TelemetryService(db, { worker: false });
    const follower = new LiveCallFollower(db.path);
    expect(follower.poll()).toEqual({ ended: [], running: [] });
    const slow = telemetry.startToolCall({ toolName: "slow", clientName: "claude" });
    telemetry.recordToolCall({ toolName: "quick", durationMs: 3, outputTokens: 5 });
    const { ended, running } = follower.poll();
    expect(ended).toMatchObject([
      { toolName: "quick", status: "success", durationMs: 3, outputTokens: 5 },
    ]);
    expect(running).toMatchObject([{ id: slow.id, toolName: "slow", clientName: "claude" }]);
    slow.end({ status: "error", errorMessage: "no" });
    expect(follower.poll()).toMatchObject({
      ended: [{ id: slow.id, status: "error", errorMessage: "no" }],
      running: [],
    });
    expect(follower.poll()).toEqual({ ended: [], running: [] });
    expect(db.$client.query("select count(*) from tool_calls").values()).toEqual([[0]]);
  });

  test("keeps showing a call that runs while the journal goes on in new files", async () => {
    using directory = temporaryDirectory();
    using db = createAnalyticsDb(directory.file("a.db"));
    await using telemetry = new TelemetryService(db, { worker: false, capturePayloads: true });
    const follower = new LiveCallFollower(db.path);
    const slow = telemetry.startToolCall({ toolName: "slow" });
    for (let round = 0; round < 4; round += 1) {
      for (let call = 0; call < 10; call += 1) {
        telemetry.recordToolCall({
          toolName: `t${round}`,
          durationMs: 1,
          result: "x".repeat(40_000),
        });
      }
      const { ended, running } = follower.poll();
      expect(names(ended)).toEqual(Array.from({ length: 10 }, () => `t${round}`));
      expect(names(running)).toEqual(["slow"]);
      await telemetry.flush();
    }
    slow.end();
    expect(names(follower.poll().ended)).toEqual(["slow"]);
  });

  test("forgets the calls of a process that died", () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    createAnalyticsDb(path).close();
    const recorder = Bun.randomUUIDv7();
    mkdirSync(journalDirectory(path), { recursive: true });
    const call = { toolName: "left", durationMs: 0, status: "abandoned" };
    const record = { kind: "tool_call", id: Bun.randomUUIDv7(), recordedAt: 1, call };
    appendFileSync(
      join(journalDirectory(path), `${recorder}-1.jsonl`),
      `{"format":"toolmeter-journal","version":1}\n${JSON.stringify(record)}\n`,
    );
    expect(new LiveCallFollower(path).poll()).toEqual({ ended: [], running: [] });
  });

  test("waits for the end of a line, and passes over what is none of ours", () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const file = join(journalDirectory(path), `${Bun.randomUUIDv7()}-1.jsonl`);
    mkdirSync(journalDirectory(path), { recursive: true });
    const call = { toolName: "größe", durationMs: 2, status: "success" };
    const record = Buffer.from(JSON.stringify({ kind: "tool_call", id: "1", recordedAt: 1, call }));
    const follower = new LiveCallFollower(path);
    // Cut within a character.
    const cut = record.indexOf(0xc3) + 1;
    appendFileSync(file, "no JSON at all\n");
    appendFileSync(file, record.subarray(0, cut));
    expect(follower.poll().ended).toEqual([]);
    appendFileSync(file, record.subarray(cut));
    expect(follower.poll().ended).toEqual([]);
    appendFileSync(file, "\n");
    expect(names(follower.poll().ended)).toEqual(["größe"]);
  });
});

test("recordingLag counts what ended and is not in the file yet", async () => {
  using directory = temporaryDirectory();
  using db = createAnalyticsDb(directory.file("a.db"));
  await using telemetry = new TelemetryService(db, { worker: false });
  using source = await openAnalyticsReader(db.path);
  expect(recordingLag(source)).toEqual({ waiting: 0, oldestAt: null, running: 0 });
  const startedAt = Date.now() - 5_000;
  const slow = telemetry.startToolCall({ toolName: "slow" });
  telemetry.recordToolCall({ toolName: "a", startedAt, durationMs: 100 });
  telemetry.recordToolCall({ toolName: "b", durationMs: 1 });
  expect(recordingLag(source)).toEqual({ waiting: 2, oldestAt: startedAt + 100, running: 1 });
  await telemetry.flush();
  expect(recordingLag(source)).toMatchObject({ waiting: 0, running: 1 });
  slow.end();
});
