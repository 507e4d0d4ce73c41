import { afterEach, describe, expect, jest, spyOn, test } from "bun:test";
import * as fc from "fast-check";
import {
  type AnalyticsDb,
  createAnalyticsDb,
} from "../../../../src/analytics/database/database.ts";
import type { TelemetryRecord } from "../../../../src/analytics/records/record.ts";
import {
  sessionDefinitions,
  sessionSummaries,
  sessions,
  toolCalls,
  toolDefinitions,
} from "../../../../src/analytics/schema.ts";
import { FAILED_STATUSES, TOOL_CALL_STATUSES } from "../../../../src/analytics/vocabulary.ts";
import { ConnectionWriter } from "../../../../src/analytics/writing/connection-writer.ts";
import { describeFailure } from "../../../support/failure.ts";
import { call, callRow, end, endRecorder, start } from "../../../support/records.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const RECORDER = "recorder";

function open(path = ":memory:") {
  const db = createAnalyticsDb(path);
  return {
    db,
    writer: new ConnectionWriter(db.$client, db.path, RECORDER),
    [Symbol.dispose]: () => db.close(),
  };
}

/** Everything that is stored, in the order in which it came. */
function stored(db: AnalyticsDb) {
  return {
    calls: db.select().from(toolCalls).orderBy(toolCalls.sequence).all(),
    sessions: db.select().from(sessions).orderBy(sessions.id).all(),
  };
}

function toolNames(db: AnalyticsDb): readonly string[] {
  return stored(db).calls.map(({ toolName }) => toolName);
}

/** The failure of a write, as plain data. */
function failure(write: Promise<unknown>) {
  return write.then(() => undefined, describeFailure);
}

/** A session's row as a start without details leaves it. */
const OPEN = {
  kind: null,
  endedAt: null,
  endReason: null,
  recorderId: RECORDER,
  clientName: null,
  clientVersion: null,
  serverName: null,
  serverVersion: null,
  protocolVersion: null,
  transport: null,
  attributes: null,
};

afterEach(() => {
  jest.useRealTimers();
});

describe("ConnectionWriter.write", () => {
  test("stores a batch in order, in one transaction", async () => {
    using store = open();
    const run = spyOn(store.db.$client, "run");
    const names = Array.from({ length: 50 }, (_, index) => `tool ${index}`);
    expect(await store.writer.write(names.map((toolName) => call({ toolName })))).toEqual([]);
    expect(run.mock.calls).toEqual([["begin immediate"], ["commit"]]);
    expect(toolNames(store.db)).toEqual(names);
  });

  test("stores a batch once, however often it is written", async () => {
    using store = open();
    const batch = [
      start("a", 1),
      call({ sessionId: "a" }),
      end("a", 2_000),
      call({ sessionId: "b" }),
      endRecorder(3_000),
    ];
    await store.writer.write(batch);
    const once = stored(store.db);
    expect([once.calls.length, once.sessions.length]).toEqual([2, 2]);
    expect(await store.writer.write(batch)).toEqual([]);
    expect(stored(store.db)).toEqual(once);
  });

  test("knows the most that was said of a call, in whatever order its outcome and its details come again", () => {
    using store = open();
    const started = call({ id: "c", status: "abandoned", durationMs: 0, outputBytes: null });
    const ended = call({
      id: "c",
      status: "error",
      durationMs: 5,
      errorType: "tool_error",
      outputBytes: null,
    });
    const whole = call({
      id: "c",
      status: "error",
      durationMs: 5,
      errorType: "tool_error",
      outputBytes: 12,
      inputBytes: 3,
    });
    for (const record of [started, ended, whole, ended, started]) store.writer.commit([record]);
    expect(
      store.db.$client
        .query("select status, duration_ms, error_type, output_bytes, input_bytes from tool_calls")
        .values(),
    ).toEqual([["error", 5, "tool_error", 12, 3]]);
  });

  test.each([3, null])(
    "keeps the duration of an abandoned call when its start is written again (input bytes before: %p)",
    (inputBytes) => {
      using store = open();
      const abandoned = { id: "c", status: "abandoned" } as const;
      store.writer.commit([call({ ...abandoned, durationMs: 800, inputBytes })]);
      const replayed = call({ ...abandoned, durationMs: 0, inputBytes: 3 });
      store.writer.commit([replayed]);
      expect(store.writer.commit([replayed]).newCalls).toBe(0);
      expect(
        store.db.$client.query("select status, duration_ms, input_bytes from tool_calls").values(),
      ).toEqual([["abandoned", 800, 3]]);
    },
  );

  test("goes on after a batch that failed", async () => {
    using store = open();
    store.db.$client.run("alter table tool_calls rename to away");
    const batch = [start("a", 1), call({ sessionId: "a" })];
    expect(await failure(store.writer.write(batch))).toMatchObject({ code: "missing_table" });
    store.db.$client.run("alter table away rename to tool_calls");
    expect(await store.writer.write(batch)).toEqual([]);
    expect(toolNames(store.db)).toEqual(["echo"]);
  });

  const poison: { name: string; bad: () => TelemetryRecord; message: string }[] = [
    {
      name: "has no number where one is needed",
      bad: () => call({ durationMs: Number.NaN }),
      message: "Expected `durationMs` to be a finite number, got NaN (:memory:).",
    },
    {
      name: "a trigger in the file refuses",
      bad: () => call({ toolName: "poison" }),
      message: "no poison here (:memory:).",
    },
    {
      name: "holds a value that cannot be bound",
      bad: () => ({ kind: "tool_call", row: Object.assign(callRow(), { result: new Date(0) }) }),
      message: "Expected `result` to be a JSON text, got object (:memory:).",
    },
    {
      name: "is a session start without a time",
      bad: () => start("bad", Number.NaN),
      message: "Expected `startedAt` to be a time in milliseconds since 1970, got NaN (:memory:).",
    },
  ];
  test.each(poison)(
    "sets a record aside that $name, and stores the others",
    async ({ bad, message }) => {
      using store = open();
      store.db.$client.run(
        "create trigger t before insert on tool_calls when new.tool_name = 'poison' begin select raise(abort, 'no poison here'); end",
      );
      const poisoned = bad();
      const rejections = await store.writer.write([
        call({ toolName: "before" }),
        poisoned,
        start("a", 1),
        call({ toolName: "after" }),
      ]);
      expect(
        rejections.map(({ index, error }) => ({ index, error: describeFailure(error) })),
      ).toEqual([{ index: 1, error: { code: "failed", path: ":memory:", message } }]);
      expect(toolNames(store.db)).toEqual(["before", "after"]);
      expect(stored(store.db).sessions.map(({ id }) => id)).toEqual(["a"]);
    },
  );

  test("stores nothing when one record undoes the whole transaction", async () => {
    using store = open();
    store.db.$client.run(
      "create trigger t before insert on tool_calls when new.tool_name = 'poison' begin select raise(rollback, 'all gone'); end",
    );
    const batch = ["before", "poison", "after"].map((toolName) => call({ toolName }));
    expect(await failure(store.writer.write(batch))).toMatchObject({
      message: "all gone (:memory:).",
    });
    expect(toolNames(store.db)).toEqual([]);
  });
});

describe("ConnectionWriter.write, while another connection holds the lock,", () => {
  test("waits on timers, lets every other timer fire, and stores the batch after the release", async () => {
    using directory = temporaryDirectory();
    using store = open(directory.file("a.db"));
    using other = createAnalyticsDb(directory.file("a.db"));
    other.$client.run("begin immediate");
    jest.useFakeTimers();
    let ticks = 0;
    const interval = setInterval(() => (ticks += 1), 1);
    const write = store.writer.write([call()]);
    jest.advanceTimersByTime(250);
    expect(ticks).toBe(250);
    other.$client.run("rollback");
    expect(toolNames(other)).toEqual([]);
    jest.advanceTimersByTime(20);
    clearInterval(interval);
    expect(await write).toEqual([]);
    expect(toolNames(other)).toEqual(["echo"]);
  });

  test("fails after 300 ms, with nothing stored and no timer left", async () => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    using store = open(file);
    using other = createAnalyticsDb(file);
    other.$client.run("begin immediate");
    jest.useFakeTimers();
    const outcome = failure(store.writer.write([call()]));
    jest.advanceTimersByTime(290);
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(30);
    expect(await outcome).toEqual({
      code: "locked",
      path: file,
      message: `Expected to get the write lock, but another process holds it. Wait until it is released, or end that process (${file}: database is locked).`,
    });
    expect(jest.getTimerCount()).toBe(0);
    other.$client.run("rollback");
    expect(toolNames(store.db)).toEqual([]);
    expect(store.db.$client.inTransaction).toBe(false);
  });
});

describe("ConnectionWriter.write fails whole, and works again,", () => {
  const cases: {
    name: string;
    spoil: (db: AnalyticsDb) => string;
    mend: string;
    code: string;
    message: string;
  }[] = [
    {
      name: "when the database is full and then has room",
      spoil: () => "max_page_count = 1",
      mend: "max_page_count = 1000000",
      code: "full",
      message:
        "Expected free space, but the disk or the database's size limit is full. Free some space: recording then continues automatically. `toolmeter prune` can shrink the file, but needs a little space itself (:memory:: database or disk is full).",
    },
    {
      name: "when the connection is read-only and then is not",
      spoil: () => "query_only = on",
      mend: "query_only = off",
      code: "read_only",
      message:
        "Expected a writable database, but it is read-only. Allow writing to the file and its directory, or choose another path (:memory:: attempt to write a readonly database).",
    },
  ];
  test.each(cases)("$name", async ({ spoil, mend, code, message }) => {
    using store = open();
    await store.writer.write([start("a", 1)]);
    const before = stored(store.db);
    store.db.$client.run(`pragma ${spoil(store.db)}`);
    const batch = Array.from({ length: 50 }, () => call({ errorMessage: "long ".repeat(500) }));
    expect(await failure(store.writer.write(batch))).toEqual({ code, path: ":memory:", message });
    expect(stored(store.db)).toEqual(before);
    store.db.$client.run(`pragma ${mend}`);
    expect(await store.writer.write(batch)).toEqual([]);
    expect(toolNames(store.db)).toHaveLength(50);
  });

  test.each([0, 1])("but not once the database is closed, after %i writes", async (writes) => {
    using store = open();
    for (let index = 0; index < writes; index += 1) await store.writer.write([call()]);
    store.db.close();
    expect(await failure(store.writer.write([call()]))).toEqual({
      code: "closed",
      path: ":memory:",
      message:
        "Expected an open database, but it was closed. Call `shutdown()` before `close()` (:memory:).",
    });
  });
});

describe("a tool's definition", () => {
  const seen = (seenAt: number, hash = "a1"): TelemetryRecord => ({
    kind: "tool_definition",
    row: {
      hash,
      toolName: "echo",
      definition: '{"name":"echo"}',
      bytes: 15,
      tokens: 4,
      tokenMethod: "characters/4",
      seenAt,
    },
  });

  test("is stored once, with the first and the last time it was seen", async () => {
    using store = open();
    expect(await store.writer.write([seen(200), seen(300), seen(100)])).toEqual([]);
    expect(store.db.select().from(toolDefinitions).all()).toEqual([
      {
        hash: "a1",
        toolName: "echo",
        definition: { name: "echo" },
        bytes: 15,
        tokens: 4,
        tokenMethod: "characters/4",
        firstSeenAt: 100,
        lastSeenAt: 300,
      },
    ]);
  });

  test("is linked once with each session that carried it", async () => {
    using store = open();
    const batch = [
      start("s", 100, { definitionHashes: ["a1", "b2"] }),
      start("s", 200, { definitionHashes: ["b2", "c3"] }),
      start("t", 200, { definitionHashes: ["a1"] }),
    ];
    expect(await store.writer.write(batch)).toEqual([]);
    const links = store.db.select().from(sessionDefinitions).all();
    expect(links.map((link) => `${link.sessionId} ${link.definitionHash}`)).toEqual([
      "s a1",
      "s b2",
      "s c3",
      "t a1",
    ]);
  });
});

describe("a session", () => {
  const ALL = {
    kind: "connection",
    clientName: "inspector",
    clientVersion: "1.0",
    serverName: "files",
    serverVersion: "2.0",
    protocolVersion: "2025-06-18",
    transport: "stdio",
    attributes: { team: "blue" },
  } as const;
  const PARTIES = { ...ALL, kind: null, attributes: null };

  const cases: {
    name: string;
    batch: readonly TelemetryRecord[];
    expected: Partial<typeof sessions.$inferSelect>;
  }[] = [
    {
      name: "that starts twice keeps its first start and its first details, and takes the missing ones",
      batch: [
        start("s", 100, { clientName: "first", attributes: { team: "red" } }),
        start("s", 200, ALL),
      ],
      expected: { startedAt: 100, ...ALL, clientName: "first", attributes: { team: "red" } },
    },
    {
      name: "whose second start lies earlier began then",
      batch: [start("s", 200), start("s", 300, { startedAt: 100 })],
      expected: { startedAt: 100 },
    },
    {
      name: "that starts again after its end is open again, from its first start on",
      batch: [start("s", 100), end("s", 200, "idle"), start("s", 300)],
      expected: { startedAt: 100 },
    },
    {
      name: "that starts again belongs to the recorder that started it last",
      batch: [start("s", 100, {}, "other"), start("s", 200), endRecorder(300, "other")],
      expected: { startedAt: 100 },
    },
    {
      name: "that ends twice keeps its first end",
      batch: [start("s", 100), end("s", 200, "first"), end("s", 300, "second")],
      expected: { startedAt: 100, endedAt: 200, endReason: "first" },
    },
    {
      name: "that ends without a reason does not take the reason of a second end",
      batch: [start("s", 100), end("s", 200), end("s", 300, "second")],
      expected: { startedAt: 100, endedAt: 200 },
    },
    {
      name: "never ends before it started",
      batch: [start("s", 100), end("s", 50)],
      expected: { startedAt: 100, endedAt: 100 },
    },
    {
      name: "that nobody started is made from its first call",
      batch: [call({ sessionId: "s", startedAt: 100, ...PARTIES })],
      expected: { startedAt: 100, ...PARTIES },
    },
    {
      name: "that a call made takes what its start adds",
      batch: [call({ sessionId: "s", startedAt: 100 }), start("s", 200, ALL)],
      expected: { startedAt: 100, ...ALL },
    },
    {
      name: "did not begin after a call of it",
      batch: [
        start("s", 300),
        ...[200, 400, 100].map((startedAt) => call({ sessionId: "s", startedAt })),
      ],
      expected: { startedAt: 100 },
    },
    {
      name: "stays ended when a late call comes in",
      batch: [start("s", 100), end("s", 200, "done"), call({ sessionId: "s", startedAt: 150 })],
      expected: { startedAt: 100, endedAt: 200, endReason: "done" },
    },
    {
      name: "ends with its recorder",
      batch: [start("s", 100), endRecorder(200)],
      expected: { startedAt: 100, endedAt: 200, endReason: "shutdown" },
    },
    {
      name: "made by a call ends with the recorder of the call",
      batch: [call({ sessionId: "s", startedAt: 100 }), endRecorder(200)],
      expected: { startedAt: 100, endedAt: 200, endReason: "shutdown" },
    },
    {
      name: "does not end with its recorder before it started",
      batch: [start("s", 100), endRecorder(50)],
      expected: { startedAt: 100, endedAt: 100, endReason: "shutdown" },
    },
    {
      name: "of another recorder stays open when this one ends",
      batch: [start("s", 100, {}, "other"), endRecorder(200)],
      expected: { startedAt: 100, recorderId: "other" },
    },
    {
      name: "that had ended keeps its end when its recorder ends",
      batch: [start("s", 100), end("s", 150, "done"), endRecorder(200)],
      expected: { startedAt: 100, endedAt: 150, endReason: "done" },
    },
  ];
  describe.each(["one batch", "a batch for each record"])("in %s:", (how) => {
    test.each(cases)("$name", async ({ batch, expected }) => {
      using store = open();
      for (const part of how === "one batch" ? [batch] : batch.map((record) => [record])) {
        expect(await store.writer.write(part)).toEqual([]);
      }
      expect(stored(store.db).sessions).toEqual([{ id: "s", startedAt: 0, ...OPEN, ...expected }]);
    });
  });

  test("is not made by a call that names none", async () => {
    using store = open();
    await store.writer.write([call({ sessionId: null })]);
    expect(stored(store.db)).toMatchObject({ calls: [{ sessionId: null }], sessions: [] });
  });

  test("that nobody knows cannot end: its end alone is set aside", async () => {
    using store = open();
    const lost = end("nobody's", 100);
    const [rejection, ...others] = await store.writer.write([call(), lost, start("s", 1)]);
    expect(others).toEqual([]);
    expect(rejection?.index).toBe(1);
    expect(describeFailure(rejection?.error)).toEqual({
      code: "unknown_session",
      path: ":memory:",
      message:
        'Expected to end a known session, got "nobody\'s". Start it, or record a call in it, first.',
    });
    expect(stored(store.db)).toMatchObject({ calls: [{}], sessions: [{ id: "s" }] });
  });
});

describe("v_sessions", () => {
  interface Model {
    startedAt: number;
    endedAt: number | null;
    endReason: string | null;
    recorderId: string;
    calls: { startedAt: number; failed: boolean }[];
  }

  /** What the contract says of a history, told in a few lines. */
  function tell(history: readonly TelemetryRecord[]) {
    const told = new Map<string, Model>();
    const begin = (id: string, startedAt: number, recorderId: string): Model => {
      const model = told.get(id) ?? {
        startedAt,
        endedAt: null,
        endReason: null,
        recorderId,
        calls: [],
      };
      told.set(id, model);
      model.startedAt = Math.min(model.startedAt, startedAt);
      return model;
    };
    const finish = (model: Model | undefined, endedAt: number, endReason: string | null) => {
      if (!model || model.endedAt !== null) return;
      Object.assign(model, { endedAt: Math.max(model.startedAt, endedAt), endReason });
    };
    for (const { kind, row } of history) {
      if (kind === "tool_call") {
        if (row.sessionId === null) continue;
        const failed = FAILED_STATUSES.some((status) => status === row.status);
        begin(row.sessionId, row.startedAt, RECORDER).calls.push({
          startedAt: row.startedAt,
          failed,
        });
      } else if (kind === "session_start") {
        const reopened = { endedAt: null, endReason: null, recorderId: row.recorderId };
        const model = begin(row.id, row.startedAt, row.recorderId);
        const isAfterEnd = model.endedAt === null || row.recordedAt > model.endedAt;
        Object.assign(model, isAfterEnd ? reopened : { recorderId: row.recorderId });
      } else if (kind === "session_end") finish(told.get(row.sessionId), row.endedAt, row.reason);
      else if (kind === "recorder_end" && row.endedAt !== null) {
        const { endedAt } = row;
        const own = [...told.values()].filter(({ recorderId }) => recorderId === row.recorderId);
        for (const model of own) finish(model, endedAt, row.reason);
      }
    }
    return [...told]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([id, model]) => ({
        id,
        startedAt: model.startedAt,
        endedAt: model.endedAt,
        durationMs: model.endedAt === null ? null : model.endedAt - model.startedAt,
        endReason: model.endReason,
        calls: model.calls.length,
        failures: model.calls.filter(({ failed }) => failed).length,
        lastCallAt:
          model.calls.length === 0
            ? null
            : Math.max(...model.calls.map(({ startedAt }) => startedAt)),
      }));
  }

  const sessionId = fc.constantFrom("a", "b", "c");
  const recorderId = fc.constantFrom(RECORDER, "other");
  /** A record at a moment of a clock that does not run backwards. A call began some time before it. */
  const event = fc.oneof(
    fc
      .record({
        sessionId: fc.option(sessionId),
        status: fc.constantFrom(...TOOL_CALL_STATUSES),
        age: fc.nat(50),
      })
      .map(
        ({ age, ...row }) =>
          (now: number) =>
            call({ ...row, startedAt: Math.max(0, now - age) }),
      ),
    fc.tuple(sessionId, recorderId).map(
      ([id, recorder]) =>
        (now: number) =>
          start(id, now, {}, recorder),
    ),
    fc.tuple(sessionId, fc.option(fc.constantFrom("idle", "left"))).map(
      ([id, reason]) =>
        (now: number) =>
          end(id, now, reason),
    ),
  );
  /** A recorder's end is the last that it says. Two events are a millisecond apart at least. */
  const history = fc
    .tuple(
      fc.array(fc.tuple(event, fc.integer({ min: 1, max: 20 })), { maxLength: 40 }),
      fc.boolean(),
    )
    .map(([events, isEnded]) => {
      let now = 0;
      const records = events.map(([record, pause]) => record((now += pause)));
      return records.concat(isEnded ? endRecorder(now + 1, "other") : []);
    });

  test("a start that is written again after its session's end does not open it again", async () => {
    using store = open();
    const records = [start("a", 1), end("a", 5, "left")];
    await store.writer.write(records);
    await store.writer.write(records.slice(0, 1));
    expect(store.db.select().from(sessions).all()).toMatchObject([
      { endedAt: 5, endReason: "left" },
    ]);
    await store.writer.write([start("a", 6)]);
    expect(store.db.select().from(sessions).all()).toMatchObject([{ endedAt: null }]);
  });

  test("tells of any history what its records say, in batches of any size, some written twice, its end replayed", async () => {
    const property = fc.asyncProperty(
      history,
      fc.integer({ min: 1, max: 9 }),
      fc.nat(40),
      async (records, size, replayed) => {
        using store = open();
        let refused = 0;
        for (let index = 0; index < records.length; index += size) {
          const batch = records.slice(index, index + size);
          // The end of a session that only a later record of its batch makes known would count the second time.
          const rejections = await store.writer.write(batch);
          refused += rejections.length;
          if (rejections.length === 0) await store.writer.write(batch);
        }
        // As from a journal: the last records, in order, whether they were written before or not.
        if (refused === 0) await store.writer.write(records.slice(-replayed));
        const { id, startedAt, endedAt, durationMs, endReason, calls, failures, lastCallAt } =
          sessionSummaries;
        const columns = {
          id,
          startedAt,
          endedAt,
          durationMs,
          endReason,
          calls,
          failures,
          lastCallAt,
        };
        expect(store.db.select(columns).from(sessionSummaries).orderBy(id).all()).toEqual(
          tell(records),
        );
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });
});
