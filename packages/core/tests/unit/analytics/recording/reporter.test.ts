import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { AnalyticsError } from "../../../../src/analytics/errors.ts";
import { Reporter } from "../../../../src/analytics/recording/reporter.ts";
import { memoryLogger } from "../../../support/memory-logger.ts";

const DOWN = new Error("the disk is gone");

function setUp() {
  const { lines, ...logger } = memoryLogger();
  return { reporter: new Reporter(logger), lines };
}

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

describe("the start", () => {
  test("is told with the path of the file", () => {
    const { reporter, lines } = setUp();
    reporter.started("/data/analytics.db", "wal");
    expect(lines).toEqual(["info: Recording tool calls into /data/analytics.db."]);
  });

  test("warns where the file system allows no write-ahead logging", () => {
    const { reporter, lines } = setUp();
    reporter.started("/data/analytics.db", "delete");
    expect(lines).toEqual([
      "info: Recording tool calls into /data/analytics.db.",
      expect.stringMatching(
        /^warn: Expected write-ahead logging.*supports only "delete".*local disk\.$/,
      ),
    ]);
  });

  test("does not warn of a database in memory", () => {
    const { reporter, lines } = setUp();
    reporter.started(":memory:", "memory");
    expect(lines).toEqual(["info: Recording tool calls into :memory:."]);
  });
});

describe("sessions and flushes", () => {
  test("are details", () => {
    const { reporter, lines } = setUp();
    reporter.session("started", "s");
    reporter.written(50, 1.25, true);
    reporter.session("ended", "s");
    expect(lines).toEqual([
      "debug: Session s started.",
      expect.stringMatching(/^debug: Wrote 50 records in 1\.[23] ms\.$/),
      "debug: Session s ended.",
    ]);
  });
});

describe("a failure to write", () => {
  test("is one warning when it begins and one when it ends, however often it is tried", () => {
    const { reporter, lines } = setUp();
    for (let failures = 1; failures <= 3; failures++) reporter.failed(DOWN, failures, 99.5, 7);
    reporter.written(7, 1, true);
    reporter.written(7, 1, true);
    expect(lines).toEqual([
      "warn: Writing failed (the disk is gone). 7 records wait in memory; next try in 100 ms.",
      expect.stringMatching(/^debug: Try 2: Writing failed/),
      expect.stringMatching(/^debug: Try 3: Writing failed/),
      "debug: Wrote 7 records in 1.0 ms.",
      "warn: Writing works again.",
      "debug: Wrote 7 records in 1.0 ms.",
    ]);
  });

  test("is a warning again when it begins again", () => {
    const { reporter, lines } = setUp();
    for (let episode = 0; episode < 2; episode++) {
      reporter.failed(DOWN, 1, 100, 1);
      reporter.written(1, 1, true);
    }
    expect(lines.filter((line) => line.startsWith("warn: Writing failed"))).toHaveLength(2);
    expect(lines.filter((line) => line === "warn: Writing works again.")).toHaveLength(2);
  });

  test.each<[string, unknown]>([
    ["a text", "gone"],
    ["null", null],
    ["undefined", undefined],
    ["a symbol", Symbol("s")],
    ["an object without prototype", Object.create(null)],
  ])("is told whatever was thrown: %s", (_name, thrown) => {
    const { reporter, lines } = setUp();
    reporter.failed(thrown, 1, 100, 1);
    expect(lines).toEqual([expect.stringMatching(/^warn: Writing failed \(.+\)\. 1 records wait/)]);
  });
});

describe("a full queue", () => {
  test("is one warning when loss begins and one with the total when there is room", () => {
    const { reporter, lines } = setUp();
    for (let i = 0; i < 1_000; i++) reporter.overflowed(60);
    reporter.written(50, 1, false);
    reporter.overflowed(60);
    reporter.written(50, 1, true);
    reporter.written(50, 1, true);
    expect(lines.filter((line) => !line.startsWith("debug"))).toEqual([
      "warn: The queue is full (60 records). New records are dropped and counted until there is room.",
      "warn: The queue has room again; 1001 records were dropped.",
    ]);
  });

  test("counts each episode from the beginning", () => {
    const { reporter, lines } = setUp();
    for (const lost of [3, 2]) {
      for (let i = 0; i < lost; i++) reporter.overflowed(60);
      reporter.written(50, 1, true);
    }
    expect(lines.filter((line) => line.includes("were dropped"))).toEqual([
      "warn: The queue has room again; 3 records were dropped.",
      "warn: The queue has room again; 2 records were dropped.",
    ]);
  });

  test("tells its total at the end at the latest", () => {
    const { reporter, lines } = setUp();
    reporter.overflowed(60);
    reporter.overflowed(60);
    reporter.ended(60, 0);
    expect(lines.slice(1)).toEqual([
      expect.stringMatching(/^warn: .*2 records were dropped\.$/),
      "error: Shut down; 60 records could not be written and are lost.",
    ]);
  });
});

describe("what can happen with every call", () => {
  const kinds: [string, (reporter: Reporter) => void, string][] = [
    [
      "a refused record",
      (reporter) => reporter.refused("a tool call", "no name"),
      "Refused a tool call: no name",
    ],
    [
      "a record after the shutdown",
      (reporter) => reporter.afterShutdown(),
      "Ignored a record: the service was shut down",
    ],
    [
      "a record that the database refused",
      (reporter) => reporter.rejected(new Error("too big")),
      "The database refused a record: too big",
    ],
  ];

  test.each(kinds)(
    "%s is one warning a minute, with the number of those not told",
    (_name, happen, text) => {
      const { reporter, lines } = setUp();
      for (let i = 0; i < 100; i++) happen(reporter);
      expect(lines).toEqual([`warn: ${text}`]);
      jest.advanceTimersByTime(59_999);
      happen(reporter);
      expect(lines).toHaveLength(1);
      jest.advanceTimersByTime(1);
      happen(reporter);
      expect(lines.slice(1)).toEqual([`warn: ${text} (100 more since)`]);
      jest.advanceTimersByTime(60_000);
      happen(reporter);
      expect(lines.slice(2)).toEqual([`warn: ${text}`]);
    },
  );

  test("what was not told is told at the end", () => {
    const { reporter, lines } = setUp();
    for (let i = 0; i < 3; i++) reporter.afterShutdown();
    reporter.ended(0, 0);
    expect(lines.slice(1)).toEqual([
      "warn: Ignored a record: 2 more since the last warning.",
      "info: Shut down; everything is written.",
    ]);
  });

  test("is told for each kind of its own", () => {
    const { reporter, lines } = setUp();
    for (const [, happen] of kinds) happen(reporter);
    reporter.refused("the end of a session", "no id");
    expect(lines).toEqual([
      ...kinds.map(([, , text]) => `warn: ${text}`),
      "warn: Refused the end of a session: no id",
    ]);
  });

  test("is told whatever was thrown", () => {
    const { reporter, lines } = setUp();
    reporter.refused("a tool call", Object.create(null));
    reporter.rejected(Symbol("s"));
    expect(lines).toEqual([
      "warn: Refused a tool call: an error that cannot be converted to text",
      "warn: The database refused a record: Symbol(s)",
    ]);
  });

  test("the end of an unknown session is a fact, told each time", () => {
    const { reporter, lines } = setUp();
    const error = new AnalyticsError("unknown_session", ":memory:", "Nobody started it.");
    reporter.rejected(error);
    reporter.rejected(error);
    expect(lines).toEqual(["info: Nobody started it.", "info: Nobody started it."]);
  });
});

describe("the end", () => {
  test("says that everything is written, or how much is not", () => {
    const { reporter, lines } = setUp();
    reporter.ended(0, 0);
    reporter.ended(7, 0);
    reporter.ended(0, 5);
    reporter.ended(7, 5);
    const taken = "in the journal; the next process that opens the database imports them.";
    expect(lines).toEqual([
      "info: Shut down; everything is written.",
      "error: Shut down; 7 records could not be written and are lost.",
      `warn: Shut down; 5 records wait ${taken}`,
      `error: Shut down; 7 records could not be written and are lost. 5 others wait ${taken}`,
    ]);
  });
});
