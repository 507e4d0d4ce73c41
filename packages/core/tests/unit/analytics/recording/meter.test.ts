import { expect, test } from "bun:test";
import { Meter } from "../../../../src/analytics/recording/meter.ts";

const NONE = { count: 0, p50: 0, p99: 0, max: 0 };

test("without samples all readings are zero", () => {
  expect(new Meter().readings).toEqual({
    recordingMs: 0,
    flushMs: NONE,
    commitMs: NONE,
    lockWaitMaxMs: 0,
    walBytes: 0,
  });
});

test("reads distributions of what it measured, the longest wait, and the latest size of the log", () => {
  const meter = new Meter();
  for (let ms = 1; ms <= 100; ms++)
    meter.wrote(2 * ms, { commitMs: ms, lockWaitMs: ms === 40 ? 7 : 1, walBytes: ms * 10 });
  const { flushMs, commitMs, lockWaitMaxMs, walBytes } = meter.readings;
  expect(commitMs.count).toBe(100);
  expect(commitMs.p50).toBeCloseTo(50, 0);
  expect(commitMs.p99).toBeCloseTo(99, 0);
  expect(commitMs.max).toBeCloseTo(100, 0);
  expect(flushMs.max).toBeCloseTo(200, 0);
  expect({ lockWaitMaxMs, walBytes }).toEqual({ lockWaitMaxMs: 7, walBytes: 1_000 });
});

test("no percentile is above the longest time", () => {
  const meter = new Meter();
  meter.wrote(1.234_567, undefined);
  const { p50, p99, max } = meter.readings.flushMs;
  expect(p50).toBeLessThanOrEqual(max);
  expect(p99).toBeLessThanOrEqual(max);
  expect(meter.readings.commitMs).toEqual(NONE);
});

test("a batch that took no time counts, too", () => {
  const meter = new Meter();
  meter.wrote(0, undefined);
  expect(meter.readings.flushMs.count).toBe(1);
});

test("the time of recording is in milliseconds", () => {
  const meter = new Meter();
  meter.recording += 1_500_000;
  expect(meter.readings.recordingMs).toBe(1.5);
});
