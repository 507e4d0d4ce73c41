import { expect, setSystemTime, test } from "bun:test";
import { AnalyticsError } from "../../../../src/analytics/errors.ts";
import { Reporter } from "../../../../src/analytics/recording/reporter.ts";
import { Tally } from "../../../../src/analytics/recording/tally.ts";
import { memoryLogger } from "../../../support/memory-logger.ts";

function setUp(recovered = 0) {
  const logger = memoryLogger();
  return { logger, tally: new Tally(new Reporter(logger), recovered) };
}

test("records are counted by what became of them, and each loss is logged", () => {
  const { logger, tally } = setUp();
  const unknown = new AnalyticsError("unknown_session", "/a.db", "no such session");
  tally.invalid("a tool call", new Error("no name"));
  tally.queueFull(100);
  tally.late();
  tally.written({
    count: 5,
    rejections: [
      { index: 0, error: new Error("poisoned") },
      { index: 3, error: unknown },
    ],
    durationMs: 2,
    hasRoom: true,
  });
  expect(tally.counts).toMatchObject({
    written: 3,
    dropped: {
      invalid: 1,
      queue_full: 1,
      shut_down: 1,
      unwritable: 1,
      unknown_session: 1,
      shutdown_timeout: 0,
    },
  });
  for (const text of ["no name", "100 records", "poisoned", "no such session"])
    expect(logger.lines.some((line) => line.includes(text))).toBe(true);
});

test("failed writes are counted, with the last error and its time", () => {
  const { tally } = setUp();
  expect(tally.counts).toMatchObject({ failedFlushes: 0, lastError: null });
  setSystemTime(1_000);
  tally.failed(new Error("first"), 1, 100, 5);
  setSystemTime(2_000);
  tally.failed(new Error("second"), 2, 200, 5);
  setSystemTime();
  expect(tally.counts).toMatchObject({
    failedFlushes: 2,
    lastError: { message: "second", at: 2_000 },
  });
});

test("recovered records add up, from those before the start on", () => {
  const { tally } = setUp(3);
  tally.recovered(4);
  tally.recovered(0);
  expect(tally.counts.recovered).toBe(7);
});

test("time on callers' stacks adds up", () => {
  const { tally } = setUp();
  tally.took(2_000_000);
  tally.took(500_000);
  expect(tally.counts.recordingMs).toBe(2.5);
});

test("what was read does not change later", () => {
  const { tally } = setUp();
  const { dropped } = tally.counts;
  tally.late();
  expect(dropped.shut_down).toBe(0);
});
