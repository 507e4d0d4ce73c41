import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import {
  ANALYTICS_ERROR_CODES,
  AnalyticsError,
  errorMessage,
  isBusy,
  primaryResultCode,
  toAnalyticsError,
} from "../../../src/analytics/errors.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const PATH = "/data/analytics.db";

/** What SQLite itself throws. */
function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("Expected SQLite to throw");
}

function memory(setUp = "create table t (a integer unique)"): Database {
  const db = new Database(":memory:");
  db.run(setUp);
  return db;
}

/** SQLite's own errors, made the way they come about. */
const SQLITE = {
  busy: () => {
    using directory = temporaryDirectory();
    using first = new Database(directory.file("x.db"));
    using second = new Database(directory.file("x.db"));
    first.run("begin immediate");
    return thrownBy(() => second.run("begin immediate"));
  },
  /** An extended code of "busy": the snapshot is too old to write. */
  busySnapshot: () => {
    using directory = temporaryDirectory();
    using first = new Database(directory.file("x.db"));
    first.run("pragma journal_mode = wal");
    first.run("create table t (a)");
    using second = new Database(directory.file("x.db"));
    second.run("begin");
    second.query("select * from t").all();
    first.run("insert into t values (1)");
    return thrownBy(() => second.run("insert into t values (2)"));
  },
  locked: () => {
    using db = memory();
    db.run("insert into t values (1), (2)");
    const rows = db.query("select a from t").iterate();
    rows.next();
    const error = thrownBy(() => db.run("drop table t"));
    rows.return?.();
    return error;
  },
  readOnly: () => {
    using db = memory();
    db.run("pragma query_only = on");
    return thrownBy(() => db.run("insert into t values (1)"));
  },
  corrupt: () => {
    using directory = temporaryDirectory();
    const file = directory.file("x.db");
    {
      using db = new Database(file);
      db.run("create table t (a)");
      db.run("insert into t values (zeroblob(100000))");
    }
    const bytes = Buffer.alloc(8_192, 0xff);
    {
      using db = new Database(file);
      bytes.set(db.serialize().subarray(0, 4_096));
    }
    writeFileSync(file, bytes);
    using db = new Database(file);
    return thrownBy(() => db.query("select * from t").all());
  },
  full: () => {
    using db = memory();
    db.run("pragma max_page_count = 4");
    return thrownBy(() => db.run("create table u as select zeroblob(100000)"));
  },
  cannotOpen: () => {
    using directory = temporaryDirectory();
    return thrownBy(() => new Database(directory.file("missing/x.db")));
  },
  notADatabase: () => {
    using directory = temporaryDirectory();
    writeFileSync(directory.file("x.db"), "plain text, and enough of it. ".repeat(50));
    using db = new Database(directory.file("x.db"));
    return thrownBy(() => db.query("select * from sqlite_master").all());
  },
  constraint: () => {
    using db = memory();
    return thrownBy(() => db.run("insert into t values (1), (1)"));
  },
  closedConnection: () => {
    const db = memory();
    db.close();
    return thrownBy(() => db.run("begin"));
  },
  closedBeforePreparing: () => {
    const db = memory();
    db.close();
    return thrownBy(() => db.prepare("select 1"));
  },
} as const;

describe("toAnalyticsError()", () => {
  test.each([
    ["busy", "locked", "another process holds it"],
    ["busySnapshot", "locked", "another process holds it"],
    ["locked", "locked", "another connection of this process"],
    ["readOnly", "read_only", "choose another path"],
    ["corrupt", "corrupt", "together with its -wal and -shm files"],
    ["full", "full", "Free some space"],
    ["cannotOpen", "cannot_open", "Check that its directory allows it"],
    ["notADatabase", "not_a_database", "move the file away"],
  ] as const)("explains SQLite's %s as `%s`", (kind, code, wayOut) => {
    const cause = SQLITE[kind]();
    const error = toAnalyticsError(cause, PATH);
    expect(error).toBeInstanceOf(AnalyticsError);
    expect(error).toMatchObject({ name: "AnalyticsError", code, path: PATH });
    expect(error.cause).toBe(cause);
    expect(error.message).toMatch(/^Expected .+, (?:but|got) .+\.$/);
    expect(error.message).toContain(wayOut);
    expect(error.message).toEndWith(`(${PATH}: ${errorMessage(cause)}).`);
  });

  test.each(["closedConnection", "closedBeforePreparing"] as const)(
    "explains a connection that was closed too early: %s",
    (kind) => {
      expect(toAnalyticsError(SQLITE[kind](), PATH)).toMatchObject({
        code: "closed",
        path: PATH,
        message: `Expected an open database, but it was closed. Call \`shutdown()\` before \`close()\` (${PATH}).`,
      });
    },
  );

  test.each<[string, unknown, string]>([
    ["another error of SQLite", SQLITE.constraint(), "UNIQUE constraint failed: t.a"],
    ["another error", new TypeError("no such thing"), "no such thing"],
    ["a text", "just text", "just text"],
    ["null", null, "null"],
    [
      "an object without prototype",
      Object.create(null),
      "an error that cannot be converted to text",
    ],
  ])("keeps %s as the cause of `failed`", (_name, cause, text) => {
    const error = toAnalyticsError(cause, PATH);
    expect(error).toMatchObject({ code: "failed", message: `${text} (${PATH}).` });
    expect(error.cause).toBe(cause);
  });

  test.each(ANALYTICS_ERROR_CODES)("returns an `%s` that is explained already as it is", (code) => {
    const error = new AnalyticsError(code, "/other.db", "Explained.");
    expect(toAnalyticsError(error, PATH)).toBe(error);
  });
});

describe("isBusy()", () => {
  test.each(["busy", "busySnapshot", "locked"] as const)("is true for SQLite's %s", (kind) => {
    expect(isBusy(SQLITE[kind]())).toBe(true);
  });

  test.each(["readOnly", "full", "constraint", "notADatabase", "closedConnection"] as const)(
    "is false for SQLite's %s",
    (kind) => {
      expect(isBusy(SQLITE[kind]())).toBe(false);
    },
  );

  test("is false for what is no error of SQLite, even with its number", () => {
    for (const error of [Object.assign(new Error("busy"), { errno: 5 }), 5, null, undefined]) {
      expect(isBusy(error)).toBe(false);
    }
  });
});

describe("primaryResultCode()", () => {
  test("is the lowest byte of SQLite's extended code", () => {
    expect(primaryResultCode(SQLITE.constraint())).toBe(19);
    expect(primaryResultCode(SQLITE.busySnapshot())).toBe(5);
    expect(primaryResultCode(new Error("x"))).toBeUndefined();
  });
});

describe("errorMessage()", () => {
  test.each<[string, unknown, string]>([
    ["an error", new Error("text"), "text"],
    ["a text", "text", "text"],
    ["a number", 7, "7"],
    ["null", null, "null"],
    ["undefined", undefined, "undefined"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["an object", {}, "[object Object]"],
    ["an error whose message is no text", Object.assign(new Error("x"), { message: 7 }), "7"],
  ])("shows %s", (_name, thrown, text) => {
    expect(errorMessage(thrown)).toBe(text);
  });

  test.each<[string, unknown]>([
    ["an object without prototype", Object.create(null)],
    [
      "an error whose message throws",
      Object.defineProperty(new Error("x"), "message", {
        get: () => {
          throw new Error("hidden");
        },
      }),
    ],
    [
      "an object whose toString() throws",
      {
        toString: () => {
          throw new Error("hidden");
        },
      },
    ],
    ["a proxy whose traps throw", new Proxy({}, { getPrototypeOf: () => JSON.parse("no JSON") })],
  ])("says so when %s cannot be shown", (_name, thrown) => {
    expect(errorMessage(thrown)).toBe("an error that cannot be converted to text");
  });
});
