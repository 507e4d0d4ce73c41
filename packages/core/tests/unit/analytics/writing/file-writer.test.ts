import { Database } from "bun:sqlite";
import { describe, expect, mock, spyOn, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { analyticsErrorCode } from "../../../../src/analytics/errors.ts";
import { FileWriter } from "../../../../src/analytics/writing/file-writer.ts";
import { journalDirectory, lockName } from "../../../../src/analytics/file/journal-directory.ts";
import { FileLock } from "../../../../src/analytics/file/lock.ts";
import { SCHEMA_VERSION } from "../../../../src/analytics/file/migrations.ts";
import { call, endRecorder, start } from "../../../support/records.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

/** A writer on a file that is there, with one call in it, and what it warned of. */
async function setUp() {
  const directory = temporaryDirectory();
  const file = directory.file("a.db");
  createAnalyticsDb(file).close();
  const warnings: string[] = [];
  const writer = new FileWriter(file, "recorder", (message) => warnings.push(message));
  await writer.write([call({ toolName: "before" })]);
  return {
    directory,
    file,
    warnings,
    writer,
    [Symbol.dispose]: () => {
      writer.close();
      directory[Symbol.dispose]();
    },
  };
}

/** The tools whose calls any SQLite program finds in a file. */
function toolsIn(file: string): readonly unknown[] {
  using client = new Database(file, { readonly: true });
  return client.query("select tool_name from tool_calls order by sequence").values().flat();
}

/** What the service does with a batch that failed: it comes again. */
async function writeUntilStored(writer: FileWriter, toolName: string) {
  const batch = [call({ toolName })];
  const failures: string[] = [];
  for (let tries = 0; tries < 5; tries += 1) {
    try {
      await writer.write(batch);
      return failures;
    } catch (error) {
      failures.push(String(error));
    }
  }
  throw new Error(failures.join("\n"));
}

/** Bytes written over a file that SQLite has open, by a process of its own: closing it here would drop SQLite's locks. */
function overwrite(file: string, offset: number, length: number): void {
  const script = `const f = require("node:fs"); const d = f.openSync(process.argv[1], "r+");
    f.writeSync(d, Buffer.alloc(${length}, 0xaa), 0, ${length}, ${offset}); f.closeSync(d);`;
  expect(Bun.spawnSync([process.execPath, "-e", script, file]).exitCode).toBe(0);
}

/** A file with 2,000 calls. */
async function makeBackup(file: string): Promise<string> {
  const writer = new FileWriter(file, "other", () => undefined);
  await writer.write(Array.from({ length: 2_000 }, () => call({ toolName: "kept" })));
  writer.close();
  return file;
}

/** Copies a file over one that SQLite has open, by a process of its own, for the same reason. */
function copy(from: string, to: string): void {
  expect(Bun.spawnSync(["cp", from, to]).exitCode).toBe(0);
}

describe("FileWriter", () => {
  test("tells what the last commit took", async () => {
    using store = await setUp();
    const { commitMs, lockWaitMs, walBytes } = store.writer.cost;
    expect(commitMs).toBeGreaterThan(0);
    expect(lockWaitMs).toBeGreaterThanOrEqual(0);
    expect(walBytes).toBe(statSync(`${store.file}-wal`).size);
  });

  test("empties the WAL and leaves no companion when it closes", async () => {
    using store = await setUp();
    store.writer.close();
    store.writer.close();
    expect(readdirSync(store.directory.path)).toEqual(["a.db"]);
  });

  test("empties the WAL though somebody else has the file open", async () => {
    using store = await setUp();
    using reader = createAnalyticsDb(store.file);
    store.writer.close();
    expect(statSync(`${store.file}-wal`).size).toBe(0);
    expect(reader.$client.query("select count(*) from tool_calls").values()).toEqual([[1]]);
  });

  test("does not take another writer's checkpoint for an overwrite, though that one has closed the file", async () => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    createAnalyticsDb(file).close();
    mkdirSync(journalDirectory(file));
    const warnings: string[] = [];
    const [writer, other] = ["writer", "other"].map((id) => {
      // The note of a recorder without a lock is removed.
      writeFileSync(join(journalDirectory(file), lockName(id)), "");
      return new FileWriter(file, id, (message) => warnings.push(message));
    });
    await writer?.write([call({ toolName: "before" })]);
    await other?.write([call({ toolName: "other" })]);
    other?.close();
    await writer?.write([call({ toolName: "after" })]);
    expect(warnings).toEqual([]);
    expect(toolsIn(file)).toEqual(["before", "other", "after"]);
    writer?.close();
  });

  test("opens no file while another process makes it or looks after its log", async () => {
    using setup = await setUp();
    mkdirSync(journalDirectory(setup.file));
    const next = new FileWriter(setup.file, "next", () => undefined);
    const lock = FileLock.tryAcquire(join(journalDirectory(setup.file), "log.lock"));
    const batch = [call({ toolName: "next" })];
    expect(await next.write(batch).catch(analyticsErrorCode)).toBe("locked");
    expect(() => createAnalyticsDb(setup.file, { openTimeoutMs: 20 })).toThrow("another process");
    lock?.remove();
    await next.write(batch);
    next.close();
    expect(toolsIn(setup.file)).toEqual(["before", "next"]);
  });

  test("writes in the calling thread, for as long as it may wait for a lock", async () => {
    using store = await setUp();
    using holder = createAnalyticsDb(store.file);
    holder.$client.run("begin immediate");
    const startedAt = performance.now();
    expect(() => store.writer.writeSync([call()], 60)).toThrow("database is locked");
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(60);
    holder.$client.run("rollback");
    expect(store.writer.writeSync([call({ toolName: "after" })], 60)).toEqual([]);
    expect(toolsIn(store.file)).toEqual(["before", "after"]);
  });

  test("makes a file, and its directory, where there is none", async () => {
    using directory = temporaryDirectory();
    const file = directory.file("new/a.db");
    const writer = new FileWriter(file, "recorder", () => undefined);
    await writer.write([start("s", 1), endRecorder(2)]);
    writer.close();
    expect(existsSync(file)).toBe(true);
  });
});

describe("when the file is not the one it was, FileWriter writes the batch into the one of that name:", () => {
  test("renamed", async () => {
    using store = await setUp();
    const aside = store.directory.file("b.db");
    renameSync(store.file, aside);
    expect(await writeUntilStored(store.writer, "after")).toHaveLength(1);
    expect(toolsIn(store.file)).toEqual(["after"]);
    expect(readdirSync(store.directory.path).toSorted()).toEqual([
      "a.db",
      "a.db-shm",
      "a.db-wal",
      "b.db",
    ]);
    expect(toolsIn(aside)).toContain("before");
    expect(store.warnings).toEqual([
      `Expected to write to ${store.file}, but the file was moved, removed or replaced. Recording continues in the file that now has this name; the old file is complete.`,
    ]);
  });

  test("removed", async () => {
    using store = await setUp();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(store.file + suffix);
    await writeUntilStored(store.writer, "after");
    expect(toolsIn(store.file)).toEqual(["after"]);
  });

  test("removed with its directory", async () => {
    using store = await setUp();
    rmSync(store.directory.path, { recursive: true });
    await writeUntilStored(store.writer, "after");
    expect(toolsIn(store.file)).toEqual(["after"]);
  });

  test("replaced by another one of ours", async () => {
    using store = await setUp();
    const other = store.directory.file("other.db");
    createAnalyticsDb(other).close();
    for (const suffix of ["-wal", "-shm"]) rmSync(store.file + suffix);
    renameSync(other, store.file);
    await writeUntilStored(store.writer, "after");
    expect(toolsIn(store.file)).toEqual(["after"]);
  });

  const overwritten = [
    { name: "its log empty", prepare: (writer: FileWriter) => writer.checkpoint("truncate") },
    { name: "its log full", prepare: () => undefined },
  ];
  test.each(overwritten)("overwritten by a backup, $name", async ({ prepare }) => {
    using store = await setUp();
    const backup = await makeBackup(store.directory.file("backup.db"));
    using reader = createAnalyticsDb(store.file);
    const count = () => reader.$client.query("select count(*) from tool_calls").values();
    expect(count()).toEqual([[1]]);
    prepare(store.writer);
    copy(backup, store.file);
    expect(await writeUntilStored(store.writer, "after")).toHaveLength(1);
    // Connections that were open before see what is there now.
    expect(count()).toEqual([[2_001]]);
    expect(reader.$client.query("pragma integrity_check").values()).toEqual([["ok"]]);
    store.writer.close();
    expect(toolsIn(store.file).filter((tool) => tool !== "kept")).toEqual(["after"]);
  });

  test("overwritten by a backup that VACUUM INTO made, while somebody else has it open", async () => {
    using store = await setUp();
    const compact = store.directory.file("compact.db");
    using backup = createAnalyticsDb(await makeBackup(store.directory.file("backup.db")));
    backup.$client.run("vacuum into ?", [compact]);
    using idle = createAnalyticsDb(store.file);
    copy(compact, store.file);
    expect(await writeUntilStored(store.writer, "after")).toHaveLength(1);
    expect(idle.$client.query("select count(*) from tool_calls").values()).toEqual([[2_001]]);
  });

  test("overwritten by a backup right before it is closed", async () => {
    using store = await setUp();
    copy(await makeBackup(store.directory.file("backup.db")), store.file);
    store.writer.close();
    expect(new Set(toolsIn(store.file))).toEqual(new Set(["kept"]));
    expect(readdirSync(store.directory.path)).toContainEqual(
      expect.stringMatching(/^a\.db\.replaced-.*-wal$/),
    );
  });

  test("moved right before it is closed", async () => {
    using store = await setUp();
    const aside = store.directory.file("b.db");
    renameSync(store.file, aside);
    store.writer.close();
    expect(toolsIn(aside)).toEqual(["before"]);
    expect(readdirSync(store.directory.path).filter((name) => name.startsWith("a.db"))).toEqual([]);
  });

  test("its WAL removed", async () => {
    using store = await setUp();
    rmSync(`${store.file}-wal`);
    await writeUntilStored(store.writer, "after");
    expect(toolsIn(store.file)).toEqual(["before", "after"]);
  });
});

describe("a damaged file is moved aside whole, and a new one begun:", () => {
  const damages: { name: string; damage: (file: string) => void }[] = [
    { name: "its pages overwritten", damage: (file) => overwrite(file, 4_096, 200_000) },
    { name: "its header overwritten", damage: (file) => overwrite(file, 0, 4_096) },
    { name: "cut to half", damage: (file) => truncateSync(file, statSync(file).size / 2) },
  ];
  test.each(damages)("$name", async ({ damage }) => {
    using store = await setUp();
    // A connection that has the pages in memory would not notice.
    store.writer.close();
    damage(store.file);
    await writeUntilStored(store.writer, "after");
    expect(toolsIn(store.file)).toEqual(["after"]);
    const aside = readdirSync(store.directory.path).filter((name) => name.includes(".damaged-"));
    expect(aside.length).toBeGreaterThan(0);
    expect(store.warnings).toEqual([
      expect.stringMatching(
        /^Expected a sound database, but .* is damaged \(.*\)\. It was moved to .*; recording continues in a new file\.$/,
      ),
    ]);
  });

  test("but one that another process has replaced already is opened", async () => {
    using store = await setUp();
    const other = new FileWriter(store.file, "other", () => undefined);
    await other.write([call()]);
    store.writer.checkpoint("truncate");
    overwrite(store.file, 0, 100_000);
    await writeUntilStored(other, "other");
    await writeUntilStored(store.writer, "after");
    other.close();
    expect(toolsIn(store.file)).toEqual(["other", "after"]);
    const aside = readdirSync(store.directory.path).filter((name) =>
      /damaged-[^-]*-[^-]*-[^-]*-[^-]*-[^-]*$/.test(name),
    );
    expect(aside).toHaveLength(1);
  });

  test("garbage at the end of the WAL loses nothing that was committed", async () => {
    using store = await setUp();
    const size = statSync(`${store.file}-wal`).size;
    overwrite(`${store.file}-wal`, size, 5_000);
    expect(await writeUntilStored(store.writer, "after")).toEqual([]);
    expect(toolsIn(store.file)).toEqual(["before", "after"]);
  });
});

describe("what is not Toolmeter's is left where it is:", () => {
  test("a file of another kind that was renamed over the database", async () => {
    using store = await setUp();
    const text = "A letter, and no database at all.\n".repeat(400);
    writeFileSync(store.directory.file("letter"), text);
    renameSync(store.directory.file("letter"), store.file);
    for (let tries = 0; tries < 3; tries += 1)
      await store.writer.write([call()]).catch(() => undefined);
    expect(readFileSync(store.file, "utf8")).toBe(text);
  });
});

describe("what FileWriter cannot write comes again, with a message for people:", () => {
  const failure = async (writer: FileWriter) =>
    writer.write([call({ toolName: "failed" })]).then(
      () => expect.unreachable(),
      (error: Error & { code: string }) => ({ code: error.code, message: error.message }),
    );

  test("a full database", async () => {
    using store = await setUp();
    const client = store.writer.client;
    client?.run(
      `pragma max_page_count = ${Number(client.query("pragma page_count").values()[0]?.[0])}`,
    );
    const big = call({ toolName: "big", result: JSON.stringify("x".repeat(50_000)) });
    expect(await store.writer.write([big]).catch((error: Error) => error.message)).toContain(
      "the disk or the database's size limit is full",
    );
    await store.writer.write([big]);
    expect(toolsIn(store.file)).toEqual(["before", "big"]);
  });

  test("a table dropped", async () => {
    using store = await setUp();
    using other = new Database(store.file);
    other.run("alter table tool_calls rename to dropped");
    expect(await failure(store.writer)).toMatchObject({
      code: "missing_table",
      message: expect.stringContaining("Expected Toolmeter's tables, but one is missing"),
    });
    other.run("alter table dropped rename to tool_calls");
    await store.writer.write([call({ toolName: "after" })]);
    expect(toolsIn(store.file)).toEqual(["before", "after"]);
  });

  test("a newer schema that came meanwhile", async () => {
    using store = await setUp();
    using other = new Database(store.file);
    other.run(`pragma user_version = ${SCHEMA_VERSION + 1}`);
    expect(await failure(store.writer)).toMatchObject({
      code: "newer_schema",
      message: expect.stringContaining("Update Toolmeter"),
    });
    expect(toolsIn(store.file)).toEqual(["before"]);
  });

  test("another program's database in its place", async () => {
    using store = await setUp();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(store.file + suffix);
    using other = new Database(store.file);
    other.run("create table notes (text)");
    await failure(store.writer);
    expect(await failure(store.writer)).toMatchObject({ code: "foreign_database" });
  });

  test("a directory in its place", async () => {
    using store = await setUp();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(store.file + suffix);
    mkdirSync(store.file);
    await failure(store.writer);
    expect(await failure(store.writer)).toMatchObject({ code: "is_directory" });
  });

  test("an outside sqlite3 that opens and closes the file disturbs nothing", async () => {
    using store = await setUp();
    const script = `const { Database } = require("bun:sqlite"); const d = new Database(process.argv[1]);
      d.query("select count(*) from tool_calls").all(); d.close(true);`;
    for (let round = 0; round < 3; round += 1) {
      expect(Bun.spawnSync([process.execPath, "-e", script, store.file]).exitCode).toBe(0);
      expect(await writeUntilStored(store.writer, `after ${round}`)).toEqual([]);
    }
    expect(toolsIn(store.file)).toEqual(["before", "after 0", "after 1", "after 2"]);
    expect(store.warnings).toEqual([]);
  });
});

describe("a lock is no fault:", () => {
  test("the connection stays open while another process writes", async () => {
    using store = await setUp();
    const { client } = store.writer;
    using holder = new Database(store.file);
    holder.run("begin immediate");
    expect(() => store.writer.writeSync([call()], 0)).toThrow("database is locked");
    expect(store.writer.client).toBe(client);
  });

  test("a file that was moved is left when the lock of its log is free, with all its data", async () => {
    using store = await setUp();
    const aside = store.directory.file("b.db");
    renameSync(store.file, aside);
    mkdirSync(journalDirectory(store.file), { recursive: true });
    const lock = FileLock.tryAcquire(join(journalDirectory(store.file), "log.lock"));
    expect(await store.writer.write([call()]).catch(analyticsErrorCode)).not.toBeUndefined();
    expect(store.warnings).toEqual([]);
    lock?.remove();
    await writeUntilStored(store.writer, "after");
    expect(toolsIn(store.file)).toEqual(["after"]);
    expect(toolsIn(aside)).toContain("before");
    expect(store.warnings).toEqual([expect.stringContaining("the old file is complete")]);
  });

  test("a log that is removed while the file is opened is not written to", async () => {
    using store = await setUp();
    store.writer.close();
    const run = Reflect.get(Database.prototype, "run");
    spyOn(Database.prototype, "run").mockImplementation(function (this: Database, sql, ...values) {
      // The writer has opened the file and its log by then.
      if (sql.includes("foreign_keys = off")) {
        mock.restore();
        for (const suffix of ["-wal", "-shm"]) rmSync(store.file + suffix, { force: true });
      }
      return Reflect.apply(run, this, [sql, ...values]);
    });
    const next = new FileWriter(store.file, "next", () => undefined);
    await writeUntilStored(next, "next");
    expect(toolsIn(store.file)).toEqual(["before", "next"]);
    next.close();
  });
});
