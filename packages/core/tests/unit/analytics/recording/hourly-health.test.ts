import { expect, test } from "bun:test";
import { HourlyHealth } from "../../../../src/analytics/recording/hourly-health.ts";
import { Reporter } from "../../../../src/analytics/recording/reporter.ts";
import { Tally } from "../../../../src/analytics/recording/tally.ts";
import { memoryLogger } from "../../../support/memory-logger.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1, 10, 20);

type Stats = Parameters<HourlyHealth["row"]>[0];

/** Counters of a recorder, each of which is `count`. */
function stats(count: number): Stats {
  const { counts } = new Tally(new Reporter(memoryLogger()));
  const dropped = Object.fromEntries(Object.keys(counts.dropped).map((reason) => [reason, count]));
  return {
    ...counts,
    accepted: count,
    written: count,
    queued: 0,
    retries: count,
    recovered: count,
    failedFlushes: count,
    recordingMs: count,
    queuePeak: count,
    leftInJournal: 0,
    journalBytes: count,
    unjournaled: count,
    dropped: dropped as Stats["dropped"],
  };
}

const COUNTERS = [
  "accepted",
  "written",
  "droppedInvalid",
  "droppedQueueFull",
  "droppedUnwritable",
  "droppedUnknownSession",
  "droppedShutDown",
  "failedFlushes",
  "retries",
  "unjournaled",
  "recovered",
  "recordingMs",
  "journalBytes",
] as const;

test("each counter counts from the beginning of the hour, and no event is counted in two hours", () => {
  const health = new HourlyHealth("recorder");
  health.wrote(stats(10), START, 0);
  health.wrote(stats(15), START + 60_000, 0);
  for (const name of COUNTERS) expect(health.row(stats(15), START + 60_000)[name]).toBe(15);
  const next = health.row(stats(18), START + HOUR);
  for (const name of COUNTERS) expect([name, next[name]]).toEqual([name, 3]);
  health.wrote(stats(18), START + HOUR, 0);
  const later = health.row(stats(19), START + HOUR + 60_000);
  for (const name of COUNTERS) expect([name, later[name]]).toEqual([name, 4]);
  expect(later.queuePeak).toBe(19);
});

test("a row names its recorder, its process and the start of its hour", () => {
  expect(new HourlyHealth("recorder").row(stats(1), START)).toMatchObject({
    recorderId: "recorder",
    processId: process.pid,
    hourStartedAt: Date.UTC(2026, 0, 1, 10),
  });
});

test("a clock that is set back does not replace the row of an earlier hour", () => {
  const health = new HourlyHealth("recorder");
  health.wrote(stats(5), START + HOUR, 0);
  expect(health.row(stats(7), START)).toMatchObject({
    hourStartedAt: Date.UTC(2026, 0, 1, 11),
    accepted: 7,
  });
});

test("a row is due at once, and 10 s after the last one by the monotonic clock", () => {
  const health = new HourlyHealth("recorder");
  expect(health.isDue(0)).toBe(true);
  health.wrote(stats(1), START, 5_000);
  expect(health.isDue(14_999)).toBe(false);
  expect(health.isDue(15_000)).toBe(true);
});
