import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { AnalyticsError } from "../../../../src/analytics/errors.ts";
import { APPLICATION_ID, SCHEMA_VERSION } from "../../../../src/analytics/file/migrations.ts";
import { type NewToolCall, toolCalls } from "../../../../src/analytics/schema.ts";
import { environment } from "../../../support/environment.ts";
import { failureOf } from "../../../support/failure.ts";
import { memoryLogger } from "../../../support/memory-logger.ts";
import { giveToNobody } from "../../../support/nobody.ts";
import { runProgram } from "../../../support/run.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const CALL: NewToolCall = {
  id: "1",
  toolName: "echo",
  startedAt: 1_000,
  durationMs: 1.5,
  status: "success",
};

const mode = (path: string) => statSync(path).mode & 0o777;

function pragmas(client: Database, ...names: readonly string[]) {
  return Object.fromEntries(
    names.map((name) => [name, client.query(`pragma ${name}`).values()[0]?.[0]]),
  );
}

const garbage = (bytes: Buffer) => bytes.fill(0xaa, 100, 4096);
const notADatabase = (file: string) =>
  `Expected an SQLite database, got another kind of file. Choose another path, or move the file away (${file}: file is not a database).`;
const newer = (file: string) =>
  `Expected schema version ${SCHEMA_VERSION} or older, got a newer one in ${file}. Update Toolmeter, or choose another path.`;
const forbidden = (file: string) =>
  `Expected read and write permission for ${file}. Change its permissions, or choose another path.`;
const cannotOpen = (file: string) =>
  `Expected to open or create the file, but the system refused. Check that its directory allows it, or choose another path (${file}: unable to open database file).`;

/** Everything in a directory; the files with their content. */
function contents(directory: string) {
  return Object.fromEntries(
    readdirSync(directory, { withFileTypes: true }).map((entry) => [
      entry.name,
      entry.isFile() && readFileSync(join(directory, entry.name), "base64"),
    ]),
  );
}

describe("createAnalyticsDb without a path", () => {
  test("opens the file that TOOLMETER_DB names, made absolute", () => {
    using directory = temporaryDirectory();
    using _ = environment({ TOOLMETER_DB: `${directory.path}/a/../b.db` });
    using db = createAnalyticsDb();
    expect(db.path).toBe(directory.file("b.db"));
    expect(existsSync(db.path)).toBe(true);
  });
});

describe("createAnalyticsDb with TOOLMETER_DISABLED", () => {
  test("opens memory in place of a file that does not exist, and makes nothing", () => {
    using directory = temporaryDirectory();
    using _ = environment({ TOOLMETER_DISABLED: "1", TOOLMETER_DB: directory.file("default.db") });
    using named = createAnalyticsDb(directory.file("deep/named.db"));
    using unnamed = createAnalyticsDb();
    expect([named.path, unnamed.path]).toEqual([":memory:", ":memory:"]);
    expect(readdirSync(directory.path)).toEqual([]);
  });

  test("still opens a file that exists, for those who read it", () => {
    using directory = temporaryDirectory();
    createAnalyticsDb(directory.file("a.db")).close();
    using _ = environment({ TOOLMETER_DISABLED: "1" });
    using db = createAnalyticsDb(directory.file("a.db"));
    expect(db.path).toBe(directory.file("a.db"));
  });
});

describe("createAnalyticsDb", () => {
  test('opens ":memory:" with the whole schema and no file', async () => {
    using db = createAnalyticsDb(":memory:");
    db.insert(toolCalls).values(CALL).run();
    expect({
      path: db.path,
      journalMode: db.journalMode,
      calls: await db.$count(toolCalls),
    }).toEqual({
      path: ":memory:",
      journalMode: "memory",
      calls: 1,
    });
    expect(existsSync(":memory:")).toBe(false);
  });

  test("makes missing directories for their owner only, and the file and its companions too", () => {
    using directory = temporaryDirectory();
    const file = directory.file("some/where/analytics.db");
    using db = createAnalyticsDb(file);
    db.insert(toolCalls).values(CALL).run();
    expect(
      [
        "some",
        "some/where",
        ...["", "-wal", "-shm"].map((end) => `some/where/analytics.db${end}`),
      ].map((name) => `${name} ${mode(directory.file(name)).toString(8)}`),
    ).toEqual([
      "some 700",
      "some/where 700",
      "some/where/analytics.db 600",
      "some/where/analytics.db-wal 600",
      "some/where/analytics.db-shm 600",
    ]);
  });

  test("leaves the mode of a file and a directory that exist as it is", () => {
    using directory = temporaryDirectory();
    chmodSync(directory.path, 0o755);
    writeFileSync(directory.file("a.db"), "");
    chmodSync(directory.file("a.db"), 0o664);
    createAnalyticsDb(directory.file("a.db")).close();
    expect([mode(directory.path), mode(directory.file("a.db"))]).toEqual([0o755, 0o664]);
  });

  test("sets its pragmas on each connection and identifies the file", () => {
    using directory = temporaryDirectory();
    for (const _ of ["new", "again"]) {
      using db = createAnalyticsDb(directory.file("a.db"));
      expect(db.journalMode).toBe("wal");
      const expected = {
        journal_mode: "wal",
        synchronous: 1,
        journal_size_limit: 4 * 1024 * 1024,
        foreign_keys: 1,
        trusted_schema: 0,
        busy_timeout: 0,
        application_id: APPLICATION_ID,
        user_version: SCHEMA_VERSION,
      };
      expect(pragmas(db.$client, ...Object.keys(expected))).toEqual(expected);
    }
  });

  test("opens a current file without changing a byte of it", () => {
    using directory = temporaryDirectory();
    createAnalyticsDb(directory.file("a.db")).close();
    const before = contents(directory.path);
    createAnalyticsDb(directory.file("a.db")).close();
    expect(contents(directory.path)).toEqual(before);
  });

  test("opens a current file while another connection is writing", () => {
    using directory = temporaryDirectory();
    using writing = createAnalyticsDb(directory.file("a.db"));
    writing.$client.run("begin immediate");
    using db = createAnalyticsDb(directory.file("a.db"), { openTimeoutMs: 0 });
    expect(db.journalMode).toBe("wal");
  });

  test("takes an empty file for a new one", () => {
    using directory = temporaryDirectory();
    writeFileSync(directory.file("a.db"), "");
    using db = createAnalyticsDb(directory.file("a.db"));
    expect(pragmas(db.$client, "application_id")).toEqual({ application_id: APPLICATION_ID });
  });

  test("finds what was written before", () => {
    using directory = temporaryDirectory();
    {
      using db = createAnalyticsDb(directory.file("a.db"));
      db.insert(toolCalls).values(CALL).run();
    }
    using db = createAnalyticsDb(directory.file("a.db"));
    expect(db.select({ id: toolCalls.id }).from(toolCalls).all()).toEqual([{ id: CALL.id }]);
  });
});

describe("close", () => {
  test("releases the file whole, leaves no companion, and may come twice", () => {
    using directory = temporaryDirectory();
    const db = createAnalyticsDb(directory.file("a.db"));
    db.insert(toolCalls).values(CALL).run();
    db.close();
    db.close();
    expect(() => db.$client.run("select 1")).toThrow("Database has closed");
    expect(readdirSync(directory.path)).toEqual(["a.db"]);
  });

  test("comes by itself at the end of a `using` block, even when a prepared statement is left", () => {
    using directory = temporaryDirectory();
    {
      using db = createAnalyticsDb(directory.file("a.db"));
      db.$client
        .prepare("insert into sessions (id, started_at_ms, recorder_id) values ('s', 1, 'r')")
        .run();
    }
    expect(readdirSync(directory.path)).toEqual(["a.db"]);
  });
});

describe("createAnalyticsDb refuses", () => {
  /** Makes something at the path; what the error then says. */
  const cases: {
    name: string;
    make: (file: string) => void;
    path?: string;
    code: string;
    message: (file: string) => string;
  }[] = [
    {
      name: "a directory in place of the file",
      make: (file) => mkdirSync(file),
      code: "is_directory",
      message: (file) =>
        `Expected a file, got the directory ${file}. Name a file in it, such as ${file}/analytics.db.`,
    },
    {
      name: "a path through a file",
      make: (file) => writeFileSync(join(file, ".."), ""),
      path: "file/a.db",
      code: "cannot_open",
      message: (file) =>
        `Expected to create the directory ${join(file, "..")}, but the system refused. Create it, or choose another path.`,
    },
    {
      name: "a text file",
      make: (file) => writeFileSync(file, "A letter, and no database at all.\n".repeat(40)),
      code: "not_a_database",
      message: notADatabase,
    },
    {
      name: "a file of three bytes",
      make: (file) => writeFileSync(file, "abc"),
      code: "not_a_database",
      message: notADatabase,
    },
    {
      name: "a file of a newer version",
      make: (file) => change(file, `pragma user_version = ${SCHEMA_VERSION + 1}`),
      code: "newer_schema",
      message: newer,
    },
    {
      name: "a file with a newer migration of drizzle-kit's",
      make: (file) =>
        change(file, "insert into __drizzle_migrations (hash, created_at) values ('newer', 9e12)"),
      code: "newer_schema",
      message: newer,
    },
  ];
  test.each(cases)("$name", ({ make, path, code, message }) => {
    using directory = temporaryDirectory();
    const file = directory.file(path ?? "a.db");
    make(file);
    const before = contents(directory.path);
    expect(failureOf(() => createAnalyticsDb(file))).toEqual({
      code,
      path: file,
      message: message(file),
    });
    expect(contents(directory.path)).toEqual(before);
  });

  const foreign = [
    "create table notes (text); insert into notes values ('mine')",
    "pragma journal_mode = wal; create table notes (text)",
    "pragma application_id = 1196444487",
    "create table __drizzle_migrations (id integer primary key, hash text, created_at numeric); insert into __drizzle_migrations values (1, 'other', 9e12)",
  ];
  test.each(foreign)("another program's database, and leaves it byte for byte: %s", (sql) => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    change(file, sql, () => new Database(file));
    const before = contents(directory.path);
    expect(failureOf(() => createAnalyticsDb(file))).toEqual({
      code: "foreign_database",
      path: file,
      message: `Expected a Toolmeter database or a new file, got a database of another program at ${file}. Choose another path.`,
    });
    expect(contents(directory.path)).toEqual(before);
  });

  test("another program's damaged database, and leaves it byte for byte", () => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    change(
      file,
      "pragma application_id = 1234; create table a (a); create table b (b); create table c (c)",
      () => new Database(file),
    );
    const sound = readFileSync(file);
    for (const bytes of [garbage(Buffer.from(sound)), sound.subarray(0, 10_000)]) {
      writeFileSync(file, bytes);
      const before = contents(directory.path);
      expect(() => createAnalyticsDb(file)).toThrow(AnalyticsError);
      expect(readFileSync(file)).toEqual(Buffer.from(bytes));
      expect(contents(directory.path)).toEqual(before);
    }
  });

  test("a path that is too long for SQLite, and says so", () => {
    using directory = temporaryDirectory();
    const file = directory.file(`${"d".repeat(250)}/${"e".repeat(250)}/a.db`);
    expect(() => createAnalyticsDb(file)).toThrow("Expected a path of at most 504 bytes");
  });

  test("a file whose lock is held for longer than the wait, and keeps SQLite's error as the cause", () => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    using other = new Database(file);
    other.run("begin exclusive");
    const startedAt = performance.now();
    const open = () => createAnalyticsDb(file, { openTimeoutMs: 30 });
    expect(failureOf(open)).toEqual({
      code: "locked",
      path: file,
      message: `Expected to get the write lock, but another process holds it. Wait until it is released, or end that process (${file}: database is locked).`,
    });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(30);
    expect(open).toThrow(AnalyticsError);
    expect(open).toThrow(
      expect.objectContaining({ cause: expect.objectContaining({ code: "SQLITE_BUSY" }) }),
    );
    other.run("rollback");
    using db = open();
    expect(db.path).toBe(file);
  });
});

describe("createAnalyticsDb moves a damaged database aside, byte for byte, and begins a new one", () => {
  const cases: { name: string; damage: (file: string) => Uint8Array }[] = [
    { name: "whose first page is garbage", damage: (file) => garbage(soundFile(file)) },
    {
      name: "cut off in the middle of a page",
      damage: (file) => soundFile(file).subarray(0, 10_000),
    },
  ];
  test.each(cases)("$name", ({ damage }) => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    const bytes = damage(file);
    writeFileSync(file, bytes);
    const logger = memoryLogger();
    using db = createAnalyticsDb(file, { logger });
    expect(db.select().from(toolCalls).all()).toEqual([]);
    const aside = readdirSync(directory.path).filter((name) => name.includes(".damaged-"));
    expect(aside).toHaveLength(1);
    expect(readFileSync(directory.file(aside[0] ?? ""))).toEqual(Buffer.from(bytes));
    expect(logger.lines).toEqual([
      `warn: Expected a sound database, but ${file} is damaged. It was moved to ${directory.file(aside[0] ?? "")} with all its data; recording continues in a new file.`,
    ]);
  });
});

describe("without permission, createAnalyticsDb refuses", () => {
  const cases: {
    name: string;
    directoryMode: number;
    /** The mode of an existing, sound file. */
    fileMode?: number;
    path?: string;
    code: string;
    message: (file: string) => string;
  }[] = [
    {
      name: "a file that may not be read",
      directoryMode: 0o700,
      fileMode: 0o000,
      code: "read_only",
      message: forbidden,
    },
    {
      name: "a file that may not be written",
      directoryMode: 0o700,
      fileMode: 0o400,
      code: "read_only",
      message: forbidden,
    },
    {
      name: "a file in a directory that may not be written",
      directoryMode: 0o500,
      fileMode: 0o600,
      code: "read_only",
      message: (file) =>
        `Expected a writable database, but it is read-only. Allow writing to the file and its directory, or choose another path (${file}: attempt to write a readonly database).`,
    },
    {
      name: "a new file in a directory that may not be written",
      directoryMode: 0o500,
      code: "cannot_open",
      message: cannotOpen,
    },
    {
      name: "a file in a directory that may not be entered",
      directoryMode: 0o000,
      fileMode: 0o600,
      code: "cannot_open",
      message: cannotOpen,
    },
    {
      name: "a new directory in a directory that may not be written",
      directoryMode: 0o500,
      path: "deep/a.db",
      code: "cannot_open",
      message: (file) =>
        `Expected to create the directory ${join(file, "..")}, but the system refused. Create it, or choose another path.`,
    },
  ];
  test.each(cases)("$name", async ({ directoryMode, fileMode, path, code, message }) => {
    using directory = temporaryDirectory();
    const file = directory.file(path ?? "a.db");
    if (fileMode !== undefined) {
      createAnalyticsDb(file).close();
      giveToNobody(file);
      chmodSync(file, fileMode);
    }
    giveToNobody(directory.path);
    chmodSync(directory.path, directoryMode);
    const outcome = await runProgram("open", [file]);
    chmodSync(directory.path, 0o700);
    expect(outcome).toEqual({ code, path: file, message: message(file) });
  });
});

/** Applies SQL to a database file; by default, to a new one of ours. */
function change(file: string, sql: string, open = () => createAnalyticsDb(file).$client): void {
  using client = open();
  for (const statement of sql.split(";")) client.run(statement);
}

/** The bytes of a sound database with some pages. */
function soundFile(file: string): Buffer {
  change(file, "insert into sessions (id, started_at_ms, recorder_id) values ('s', 1, 'r')");
  return readFileSync(file);
}
