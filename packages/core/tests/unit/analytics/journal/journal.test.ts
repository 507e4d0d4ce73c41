import { describe, expect, spyOn, test } from "bun:test";
import * as fc from "fast-check";
import * as fs from "node:fs";
import {
  appendFileSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { Journal } from "../../../../src/analytics/journal/journal.ts";
import { JOURNAL_HEADER } from "../../../../src/analytics/journal/segment-files.ts";
import { journalDirectory, lockName } from "../../../../src/analytics/file/journal-directory.ts";
import { FileLock } from "../../../../src/analytics/file/lock.ts";
import { encode, encodeCall } from "../../../../src/analytics/records/record.ts";
import { sessions, toolCalls } from "../../../../src/analytics/schema.ts";
import { memoryLogger } from "../../../support/memory-logger.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const RECORDER = "01990000-0000-7000-8000-000000000000";

function setUp(recorderId = RECORDER) {
  const temporary = temporaryDirectory();
  const database = temporary.file("a.db");
  const failures: unknown[] = [];
  const journal = new Journal(database, recorderId, (error) => failures.push(error));
  return {
    database,
    directory: journalDirectory(database),
    lock: join(journalDirectory(database), lockName(recorderId)),
    journal,
    failures,
    [Symbol.dispose]: () => {
      journal.remove();
      temporary[Symbol.dispose]();
    },
  };
}

type Store = ReturnType<typeof setUp>;

function segments(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(".jsonl"))
    .toSorted((a, b) => numberOf(a) - numberOf(b));
}

const numberOf = (name: string) => Number(/-(\d+)\.jsonl$/.exec(name)?.[1]);

/** What a reader finds: the lines of all segments, without their headers. */
function lines(directory: string): readonly string[] {
  return segments(directory).flatMap((name) => {
    const [header, ...rest] = readFileSync(join(directory, name), "utf8").trimEnd().split("\n");
    expect(JSON.parse(header ?? "")).toEqual(JOURNAL_HEADER);
    return rest;
  });
}

function callLine(
  toolName: string,
  status: "success" | "abandoned" = "success",
  id = Bun.randomUUIDv7(),
): string {
  return encodeCall(id, 1_000, {
    toolName,
    durationMs: 5,
    status,
    sessionId: "s",
    startedAt: 1_000,
  });
}

/** A journal as a process leaves it that is killed: its files, and a lock that nobody holds. */
function leave(database: string, texts: readonly string[], recorderId = RECORDER): string {
  const journal = new Journal(database, recorderId, () => undefined);
  for (const text of texts) journal.append(text);
  journal.close();
  return join(journalDirectory(database), `${recorderId}-1.jsonl`);
}

describe("Journal", () => {
  test("has a line on disk before `append` returns, for its owner's eyes only", () => {
    using store = setUp();
    store.journal.append("one\n");
    expect(lines(store.directory)).toEqual(["one"]);
    const [name = ""] = segments(store.directory);
    expect(statSync(join(store.directory, name)).mode & 0o777).toBe(0o600);
    expect(statSync(store.directory).mode & 0o777).toBe(0o700);
    expect(store.journal.written).toBe(4);
  });

  test("keeps a segment until each of its lines is settled, and removes it then", () => {
    using store = setUp();
    const long = "x".repeat(600_000);
    for (let index = 0; index < 5; index += 1) store.journal.append(`${index}${long}\n`);
    expect(segments(store.directory)).toHaveLength(3);
    store.journal.release(1);
    expect(segments(store.directory)).toHaveLength(3);
    store.journal.release(1);
    expect(segments(store.directory)).toHaveLength(2);
    expect(lines(store.directory).map(([first]) => first)).toEqual(["2", "3", "4"]);
    store.journal.release(3);
    expect(segments(store.directory)).toHaveLength(1);
  });

  test("carries the calls in flight into each new segment", () => {
    using store = setUp();
    store.journal.follow("a", "call a\n");
    store.journal.follow("b", "call b\n");
    store.journal.append(`${"x".repeat(1_100_000)}\n`);
    store.journal.settle("a");
    store.journal.append("next\n");
    store.journal.release(1);
    expect(lines(store.directory)).toEqual(["call b", "next"]);
  });

  test("leaves nothing behind when all is settled, and what is not when it is not", () => {
    using store = setUp();
    store.journal.append("one\n");
    store.journal.append("two\n");
    store.journal.release(1);
    store.journal.close();
    expect(lines(store.directory)).toEqual(["one", "two"]);
    const second = new Journal(store.database, RECORDER.replace("7000", "7001"), () => undefined);
    second.append("three\n");
    second.release(1);
    second.close();
    expect(segments(store.directory)).toHaveLength(1);
  });

  test.each([
    ["its directory", ({ directory }: Store) => rmSync(directory, { recursive: true })],
    ["a segment", ({ directory }: Store) => rmSync(join(directory, segments(directory)[0] ?? ""))],
    ["its lock", ({ lock }: Store) => rmSync(lock)],
    [
      "its directory, moved away",
      ({ directory }: Store) => renameSync(directory, `${directory}-old`),
    ],
    [
      "its lock, which another process makes again",
      ({ lock }: Store) => {
        rmSync(lock);
        FileLock.tryAcquire(lock)?.release();
      },
    ],
  ])(
    "has everything on disk again at the next append after somebody removes %s",
    (_what, remove) => {
      using store = setUp();
      const { journal, directory, lock } = store;
      const long = `${"x".repeat(1_100_000)}\n`;
      journal.append("settled\n");
      for (const line of [long, "two\n", "three\n"]) journal.append(line);
      journal.follow("a", "call a\n");
      journal.release(1);
      remove(store);
      journal.append("four\n");
      expect(lines(directory)).toEqual([long.trimEnd(), "two", "three", "call a", "four"]);
      expect(FileLock.tryAcquire(lock)).toBeUndefined();
      expect(journal).toMatchObject({ failures: 0, unwritten: 0 });
      journal.release(4);
      expect(segments(directory)).toHaveLength(1);
    },
  );

  test("notices the same when a call starts, and when lines are settled", () => {
    using store = setUp();
    const { journal, directory } = store;
    journal.append("one\n");
    rmSync(directory, { recursive: true });
    journal.follow("a", "call a\n");
    expect(lines(directory)).toEqual(["one", "call a"]);
    journal.append("two\n");
    rmSync(directory, { recursive: true });
    journal.release(1);
    expect(lines(directory)).toEqual(["two", "call a"]);
  });

  test("taken for dead because its lock was removed, writes to files that nobody is about to remove", () => {
    using store = setUp();
    const { journal, directory, lock } = store;
    journal.append("one\n");
    rmSync(lock);
    // What recovery does: list, lock, read and commit, remove.
    const listed = segments(directory);
    const recovery = FileLock.tryAcquire(lock);
    journal.append("two\n");
    for (const name of listed) rmSync(join(directory, name), { force: true });
    expect(lines(directory)).toEqual(["one", "two"]);
    recovery?.remove();
    journal.release(1);
    journal.append("three\n");
    expect(lines(directory)).toEqual(["two", "three"]);
    expect(FileLock.tryAcquire(lock)).toBeUndefined();
  });

  test("looks at its directory once per millisecond under load, not with every line", () => {
    using store = setUp();
    const stat = spyOn(fs, "statSync");
    const startedAt = performance.now();
    for (let index = 0; index < 5_000; index += 1) store.journal.append("a line\n");
    const milliseconds = performance.now() - startedAt;
    // A directory that has just changed costs three more looks at the files in it.
    expect(stat.mock.calls.length).toBeLessThanOrEqual(4 * (64 + milliseconds));
    stat.mockRestore();
  });

  test("counts what it cannot write, says so once, and writes it as soon as it can", () => {
    using store = setUp();
    const { journal, directory, failures } = store;
    rmSync(directory, { recursive: true });
    // A file in the directory's place: no segment can be made.
    writeFileSync(directory, "");
    for (const line of ["one\n", "two\n", "three\n"]) journal.append(line);
    journal.follow("a", "call a\n");
    expect(journal).toMatchObject({ failures: 4, unwritten: 3 });
    expect(failures).toHaveLength(1);
    rmSync(directory);
    journal.release(1);
    expect(lines(directory)).toEqual(["call a", "two", "three"]);
    expect(journal).toMatchObject({ failures: 4, unwritten: 0 });
  });

  test("begins where nothing can be written as soon as something can", () => {
    using temporary = temporaryDirectory();
    const database = temporary.file("a.db");
    writeFileSync(journalDirectory(database), "");
    const failures: unknown[] = [];
    const journal = new Journal(database, RECORDER, (error) => failures.push(error));
    journal.append("one\n");
    expect(failures).toHaveLength(1);
    rmSync(journalDirectory(database));
    journal.close();
    expect(lines(journalDirectory(database))).toEqual(["one"]);
  });

  describe("is bounded", () => {
    const size = (directory: string) =>
      readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

    test("while nothing is released and calls start and are refused at their end", () => {
      using store = setUp();
      const { journal, directory } = store;
      const line = `${"x".repeat(999)}\n`;
      for (let index = 0; index < 100; index += 1) journal.append(line);
      for (let index = 0; index < 10_000; index += 1) {
        journal.follow(`${index}`, line);
        journal.settle(`${index}`);
      }
      expect(size(directory)).toBeLessThan(2 * 100_000 + 1_048_576 + 2_000);
      expect(lines(directory).length).toBeGreaterThanOrEqual(100);
    });

    test("while each accepted line comes with a thousand refused ones", () => {
      using store = setUp();
      const { journal, directory } = store;
      const line = `${"é".repeat(499)}\n`;
      for (let accepted = 0; accepted < 10; accepted += 1) {
        journal.append(`${accepted}\n`);
        for (let index = 0; index < 1_500; index += 1) {
          journal.follow("a", line);
          journal.settle("a");
        }
      }
      expect(segments(directory)).toHaveLength(1);
      expect(size(directory)).toBeLessThan(1_048_576 + 2_000);
    });

    test("and does not copy the calls in flight again and again", () => {
      using store = setUp();
      const { journal, directory } = store;
      const line = `${"x".repeat(999)}\n`;
      for (let index = 0; index < 5_000; index += 1) journal.follow(`${index}`, line);
      const created = numberOf(segments(directory).at(-1) ?? "");
      for (let index = 0; index < 3_000; index += 1) journal.append(line);
      expect(numberOf(segments(directory).at(-1) ?? "") - created).toBeLessThanOrEqual(1);
    });

    test("by the number and length of the calls in flight, the others counted as not journalled", () => {
      using temporary = temporaryDirectory();
      const database = temporary.file("a.db");
      const journal = new Journal(database, RECORDER, () => undefined, 10_000);
      const line = `${"x".repeat(999)}\n`;
      for (let index = 0; index < 12; index += 1) journal.follow(`${index}`, line);
      expect(lines(journalDirectory(database))).toHaveLength(10);
      expect(journal.failures).toBe(2);
      journal.settle("0");
      journal.follow("12", line);
      expect(journal.failures).toBe(2);
      journal.remove();
    });
  });

  test("holds in any history exactly what is not settled, behind what is", () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("append" as const),
        length: fc.integer({ min: 1, max: 400_000 }),
      }),
      fc.record({ kind: fc.constant("release" as const), count: fc.nat(4) }),
    );
    const property = fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      using store = setUp();
      const waiting: string[] = [];
      let next = 0;
      for (const action of steps) {
        if (action.kind === "append") {
          const line = `${next++}:${"x".repeat(action.length)}`;
          store.journal.append(`${line}\n`);
          waiting.push(line);
        } else store.journal.release(waiting.splice(0, action.count).length);
        const found = lines(store.directory);
        expect(found.slice(found.length - waiting.length)).toEqual(waiting);
        // Only the segments that hold something unsettled, and the one that is written to.
        expect(segments(store.directory).length).toBeLessThanOrEqual(waiting.length + 1);
      }
    });
    fc.assert(property, { numRuns: 30 });
  });
});

describe("FileLock", () => {
  test("is held by one at a time, in the same process too", () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.lock");
    const lock = FileLock.tryAcquire(path);
    expect(FileLock.tryAcquire(path)).toBeUndefined();
    lock?.release();
    FileLock.tryAcquire(path)?.remove();
    expect(readdirSync(directory.path)).toEqual([]);
  });

  test("says why it cannot be made", () => {
    using directory = temporaryDirectory();
    expect(() => FileLock.tryAcquire(directory.file("missing/a.lock"))).toThrow("unable to open");
  });
});

describe("whoever opens the database takes in the journals of dead processes:", () => {
  const tools = (db: ReturnType<typeof createAnalyticsDb>) =>
    db.select({ name: toolCalls.toolName, status: toolCalls.status }).from(toolCalls).all();

  function reopen(database: string) {
    const logger = memoryLogger();
    return {
      db: createAnalyticsDb(database, { logger }),
      warnings: logger.lines.filter((line) => line.startsWith("warn")),
    };
  }

  test("calls, sessions, and a session's end at its last call, as stale", () => {
    using directory = temporaryDirectory();
    const database = directory.file("a.db");
    leave(database, [callLine("echo"), callLine("echo")]);
    const { db, warnings } = reopen(database);
    expect(db.recovery).toEqual({ records: 2, recorders: 1, damaged: [] });
    expect(db.select().from(sessions).all()).toMatchObject([
      { id: "s", recorderId: RECORDER, startedAt: 1_000, endedAt: 1_005, endReason: "stale" },
    ]);
    expect(warnings).toEqual([]);
    expect(readdirSync(journalDirectory(database))).toEqual([]);
    db.close();
  });

  test("once, though they were written before", () => {
    using directory = temporaryDirectory();
    const database = directory.file("a.db");
    const texts = [
      callLine("echo"),
      encode({ kind: "session_end", row: { sessionId: "s", endedAt: 1_003, reason: "left" } }),
    ];
    leave(database, texts);
    reopen(database).db.close();
    leave(database, texts, RECORDER.replace("7000", "7001"));
    const { db } = reopen(database);
    expect(tools(db)).toHaveLength(1);
    expect(db.select().from(sessions).all()).toMatchObject([{ endedAt: 1_003, endReason: "left" }]);
    db.close();
  });

  test("a call that never ended as abandoned, and one that did as it ended", () => {
    using directory = temporaryDirectory();
    const database = directory.file("a.db");
    leave(database, [
      callLine("hung", "abandoned", "1"),
      callLine("slow", "abandoned", "2"),
      callLine("slow", "success", "2"),
    ]);
    const { db } = reopen(database);
    expect(tools(db)).toEqual([
      { name: "hung", status: "abandoned" },
      { name: "slow", status: "success" },
    ]);
    db.close();
  });

  test("without the last line, if it is torn", () => {
    using directory = temporaryDirectory();
    const database = directory.file("a.db");
    const segment = leave(database, [callLine("whole")]);
    appendFileSync(segment, callLine("torn").slice(0, -2));
    const { db, warnings } = reopen(database);
    expect(tools(db)).toEqual([{ name: "whole", status: "success" }]);
    expect(warnings).toEqual([]);
    db.close();
  });

  test("all that can be read of a damaged one, which is kept under another name", () => {
    using directory = temporaryDirectory();
    const database = directory.file("a.db");
    const segment = leave(database, [
      callLine("one"),
      "}{\n",
      '{"kind":"other"}\n',
      "null\n",
      '{"kind":"tool_call"}\n',
      callLine("two"),
    ]);
    const { db, warnings } = reopen(database);
    expect(tools(db).map(({ name }) => name)).toEqual(["one", "two"]);
    expect(db.recovery.damaged).toEqual([`${segment}.damaged`]);
    expect(warnings).toEqual([expect.stringContaining("4 lines of")]);
    expect(readdirSync(journalDirectory(database))).toEqual([`${RECORDER}-1.jsonl.damaged`]);
    db.close();
    expect(reopen(database).warnings).toEqual([]);
  });

  test("nothing of a file that is no journal, which is kept under another name", () => {
    using directory = temporaryDirectory();
    const database = directory.file("a.db");
    const segment = leave(database, [callLine("one")]);
    writeFileSync(segment, "a letter\n");
    const { db, warnings } = reopen(database);
    expect(tools(db)).toEqual([]);
    expect(warnings).toHaveLength(1);
    expect(readFileSync(`${segment}.damaged`, "utf8")).toBe("a letter\n");
    db.close();
  });

  test("not that of a newer version, nor files of other names", () => {
    using directory = temporaryDirectory();
    const database = directory.file("a.db");
    const segment = leave(database, [callLine("one")]);
    const text = readFileSync(segment, "utf8").replace('"version":1', '"version":2');
    writeFileSync(segment, text);
    writeFileSync(join(journalDirectory(database), "notes.txt"), "mine");
    const { db, warnings } = reopen(database);
    expect(tools(db)).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining("a newer Toolmeter wrote")]);
    expect(readFileSync(segment, "utf8")).toBe(text);
    expect(readdirSync(journalDirectory(database))).toContain("notes.txt");
    db.close();
  });

  test("not that of a living process", () => {
    using store = setUp();
    store.journal.append(callLine("alive"));
    const { db, warnings } = reopen(store.database);
    expect(tools(db)).toEqual([]);
    expect(warnings).toEqual([]);
    expect(lines(store.directory)).toHaveLength(1);
    db.close();
  });

  test("later, if the database is locked", () => {
    using directory = temporaryDirectory();
    const database = directory.file("a.db");
    using holder = createAnalyticsDb(database);
    leave(database, [callLine("one")]);
    holder.$client.run("begin immediate");
    const logger = memoryLogger();
    createAnalyticsDb(database, { logger, openTimeoutMs: 20 }).close();
    expect(logger.lines).toEqual([
      expect.stringContaining("the next process that opens the database retries"),
    ]);
    holder.$client.run("rollback");
    const { db } = reopen(database);
    expect(tools(db)).toHaveLength(1);
    db.close();
  });

  test("whole, of any size and any text", () => {
    const property = fc.property(
      fc.array(fc.string({ unit: "binary", minLength: 1, maxLength: 200 }), { maxLength: 30 }),
      (names) => {
        using directory = temporaryDirectory();
        const database = directory.file("a.db");
        leave(
          database,
          names.map((name) => callLine(name)),
        );
        const { db, warnings } = reopen(database);
        expect(tools(db)).toHaveLength(names.length);
        expect(warnings).toEqual([]);
        db.close();
      },
    );
    fc.assert(property, { numRuns: 30 });
  });
});
