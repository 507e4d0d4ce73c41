import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test";
import { Retention } from "../../../../src/analytics/housekeeping/retention.ts";
import { Tidying } from "../../../../src/analytics/housekeeping/tidying.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const MINUTE_MS = 60_000;

let now = 0;

beforeEach(() => {
  now = 0;
  jest.useFakeTimers();
  spyOn(performance, "now").mockImplementation(() => now);
});

afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

function elapse(milliseconds: number): void {
  for (let left = milliseconds; left > 0; left -= 500) {
    now += 500;
    jest.advanceTimersByTime(500);
  }
}

/** Retention whose slices do what the test says. */
function setUp(slice: () => boolean) {
  const client = new Database(":memory:");
  const retention = new Retention({});
  const slices = spyOn(retention, "slice").mockImplementation(slice);
  const warnings: string[] = [];
  let done = 0;
  const tidying = new Tidying({
    path: "a.db",
    client: () => client,
    retention,
    done: () => (done += 1),
    warn: (message) => warnings.push(message),
  });
  return { tidying, slices, warnings, done: () => done };
}

/** What SQLite says of a lock. */
function busyError(): unknown {
  using directory = temporaryDirectory();
  using holder = new Database(directory.file("a.db"));
  using other = new Database(directory.file("a.db"));
  holder.run("begin exclusive");
  try {
    other.run("begin exclusive");
    return undefined;
  } catch (error) {
    return error;
  }
}

test("begins a second after the last write, and goes on until nothing is left", () => {
  let left = 3;
  const { tidying, slices, done } = setUp(() => --left > 0);
  tidying.start();
  elapse(500);
  tidying.start();
  elapse(500);
  expect(slices).not.toHaveBeenCalled();
  elapse(1_000);
  expect(slices).toHaveBeenCalledTimes(3);
  expect(done()).toBe(1);
});

test("tries again after a lock, and warns once if it lasts for ten minutes", () => {
  let isLocked = true;
  const locked = busyError();
  const { tidying, slices, warnings, done } = setUp(() => {
    if (isLocked) throw locked;
    return false;
  });
  // Every write starts it anew.
  for (let write = 0; write < 8; write += 1) {
    tidying.start();
    elapse(1_500);
  }
  expect(slices.mock.calls.length).toBeGreaterThan(7);
  expect(warnings).toEqual([]);
  elapse(20 * MINUTE_MS);
  expect(warnings).toEqual([
    "Old calls could not be removed from a.db (database is locked). It is tried again until it succeeds.",
  ]);
  isLocked = false;
  elapse(MINUTE_MS);
  expect(done()).toBe(1);
});

test("warns at once of anything else, and again only after a success", () => {
  let error: Error | undefined = new Error("disk I/O error");
  const { tidying, warnings } = setUp(() => {
    if (error) throw error;
    return false;
  });
  tidying.start();
  elapse(MINUTE_MS);
  expect(warnings).toHaveLength(1);
  error = undefined;
  elapse(MINUTE_MS);
  error = new Error("disk I/O error");
  tidying.start();
  elapse(MINUTE_MS);
  expect(warnings).toHaveLength(2);
});

test("stops when it is told to", () => {
  const { tidying, slices } = setUp(() => true);
  tidying.start();
  tidying.stop();
  elapse(MINUTE_MS);
  expect(slices).not.toHaveBeenCalled();
});

test("runs while writes keep coming, one slice at a time, and leaves the end to an idle moment", () => {
  let left = 3;
  const { tidying, slices, done } = setUp(() => --left > 0);
  const write = () => {
    tidying.stop();
    tidying.start();
  };
  for (let writes = 0; writes < 10; writes += 1) {
    write();
    expect(slices.mock.calls.length).toBeLessThanOrEqual(writes);
    elapse(500);
  }
  expect(left).toBeLessThanOrEqual(0);
  expect(done()).toBe(0);
  elapse(2_000);
  expect(done()).toBe(1);
});

test("waits before it tries again after a failure, however often writes come", () => {
  const { tidying, slices } = setUp(() => {
    throw new Error("disk I/O error");
  });
  for (let writes = 0; writes < 20; writes += 1) {
    tidying.stop();
    tidying.start();
    elapse(500);
  }
  expect(slices).toHaveBeenCalledTimes(2);
});
