import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { cpSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import journal from "../../../../drizzle/meta/_journal.json" with { type: "json" };
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import {
  APPLICATION_ID,
  SCHEMA_VERSION,
  migrate,
} from "../../../../src/analytics/file/migrations.ts";
import { failureOf } from "../../../support/failure.ts";
import { REPOSITORY, drizzleKit, run } from "../../../support/run.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const FOLDER = join(REPOSITORY, "packages/core/drizzle");

/** The bookkeeping as drizzle-kit would write it, from its own journal and files. */
const BOOKKEEPING = journal.entries.map(({ tag, when }) => ({
  hash: createHash("sha256")
    .update(readFileSync(join(FOLDER, `${tag}.sql`)))
    .digest("hex"),
  created_at: when,
}));

function bookkeeping(client: Database) {
  return client
    .query("select hash, created_at from __drizzle_migrations order by created_at")
    .all();
}

/** Every table, index and view with its SQL, but for drizzle's own table. */
function schemaOf(client: Database) {
  const select =
    "select type, name, sql from sqlite_schema where name not like '%drizzle%' order by name";
  return client.query(select).all();
}

function version(client: Database) {
  return client.query("select * from pragma_application_id, pragma_user_version").get();
}

const CURRENT = { application_id: APPLICATION_ID, user_version: SCHEMA_VERSION };

function insertCalls(client: Database): void {
  client.run("insert into sessions (id, started_at_ms, recorder_id) values ('s', 1, 'r')");
  for (const id of ["a", "b"]) {
    client.run(
      "insert into tool_calls (id, tool_name, session_id, started_at_ms, duration_ms, status) values (?, 'echo', 's', 1, 0.5, 'success')",
      [id],
    );
  }
}

function calls(client: Database) {
  return client
    .query("select sequence, id, tool_name, session_id, duration_ms from tool_calls")
    .all();
}

const everything = (client: Database) =>
  [version, bookkeeping, schemaOf, calls].map((part) => part(client));

const CALLS = ["a", "b"].map((id, index) => ({
  sequence: index + 1,
  id,
  tool_name: "echo",
  session_id: "s",
  duration_ms: 0.5,
}));

describe("migrate", () => {
  test("applies each migration once, and keeps drizzle-kit's own bookkeeping", () => {
    using directory = temporaryDirectory();
    for (const _ of ["new", "again"]) {
      using db = createAnalyticsDb(directory.file("a.db"));
      expect(bookkeeping(db.$client)).toEqual(BOOKKEEPING);
      expect(version(db.$client)).toEqual(CURRENT);
    }
  });

  test("undoes everything when one statement fails", () => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    // Ours by its id, so nothing refuses it; the second table of the first migration is in the way.
    using client = new Database(file);
    client.run(`pragma application_id = ${APPLICATION_ID}`);
    client.run("create table tool_calls (mine)");
    const before = schemaOf(client);
    expect(() => migrate(client, file)).toThrow("table `tool_calls` already exists");
    expect(client.inTransaction).toBe(false);
    expect(failureOf(() => createAnalyticsDb(file))).toEqual({
      code: "failed",
      path: file,
      message: `table \`tool_calls\` already exists (${file}).`,
    });
    expect(schemaOf(client)).toEqual(before);
    expect(version(client)).toEqual({ application_id: APPLICATION_ID, user_version: 0 });
  });
});

describe("drizzle-kit migrate", () => {
  test("makes the file that createAnalyticsDb makes, which then opens it with its data", async () => {
    using directory = temporaryDirectory();
    const file = directory.file("kit.db");
    expect(await drizzleKit(["migrate"], { env: { TOOLMETER_DB: file } })).toMatchObject({
      exitCode: 0,
    });
    const byKit = openPlain(file, (client) => {
      insertCalls(client);
      return { bookkeeping: bookkeeping(client), schema: schemaOf(client) };
    });
    using own = createAnalyticsDb(":memory:");
    expect(byKit).toEqual({ bookkeeping: BOOKKEEPING, schema: schemaOf(own.$client) });

    using db = createAnalyticsDb(file);
    expect(version(db.$client)).toEqual(CURRENT);
    expect(bookkeeping(db.$client)).toEqual(BOOKKEEPING);
    expect(calls(db.$client)).toEqual(CALLS);
  });

  test("accepts a file of createAnalyticsDb and changes nothing in it", async () => {
    using directory = temporaryDirectory();
    const file = directory.file("own.db");
    {
      using db = createAnalyticsDb(file);
      insertCalls(db.$client);
    }
    const before = openPlain(file, everything);
    expect(await drizzleKit(["migrate"], { env: { TOOLMETER_DB: file } })).toMatchObject({
      exitCode: 0,
    });
    expect(openPlain(file, everything)).toEqual(before);
    expect(before).toContainEqual(CALLS);
  });

  test("asks for a file when TOOLMETER_DB names none", async () => {
    const { exitCode, stdout } = await drizzleKit(["migrate"], {
      env: { TOOLMETER_DB: undefined },
    });
    expect(exitCode).toBe(1);
    expect(stdout).toContain("url: undefined");
  });
});

describe("the migrations folder", () => {
  test("passes drizzle-kit check", async () => {
    const { exitCode, stdout } = await drizzleKit(["check"]);
    expect({ exitCode, isFine: stdout.includes("Everything's fine") }).toEqual({
      exitCode: 0,
      isFine: true,
    });
  });

  test("holds every change of schema.ts: drizzle-kit generate finds none", async () => {
    using directory = temporaryDirectory();
    cpSync(FOLDER, directory.file("drizzle"), { recursive: true });
    // drizzle-kit reads its snapshots from a relative path only.
    const out = relative(REPOSITORY, directory.file("drizzle"));
    const schema = "./packages/core/src/analytics/schema.ts";
    const { exitCode, stdout } = await drizzleKit([
      "generate",
      "--dialect",
      "sqlite",
      "--schema",
      schema,
      "--out",
      out,
    ]);
    expect({ exitCode, isCurrent: stdout.includes("No schema changes") }).toEqual({
      exitCode: 0,
      isCurrent: true,
    });
  });

  test("is what migrations.gen.ts imports", async () => {
    const command = [process.execPath, "scripts/generate-migrations.ts", "--check"];
    expect(await run(command)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });
});

/** Looks into a file without any of our opening steps. */
function openPlain<T>(file: string, look: (client: Database) => T): T {
  using client = new Database(file);
  return look(client);
}
