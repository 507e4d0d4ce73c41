/** What `sql` runs, held against connections that may write: the rule is enough by itself. */
import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { toReading } from "../../src/sql/statement.ts";
import { contentsOf } from "../support/contents.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const directory = temporaryDirectory();
const client = new Database(directory.file("a.db"), { create: true });
client.run("create table t (a, b)");
client.run("create table pragma (a)");
client.run("insert into t values (1, 'x;y'), (2, '--')");

afterAll(() => {
  client.close();
  directory[Symbol.dispose]();
});

/** As `sql` does it; the rows, or the reason. */
function run(text: string): unknown {
  try {
    const { sql, query } = toReading(text);
    client.prepare(query).finalize();
    return client.prepare(sql).values();
  } catch (error) {
    return error instanceof Error ? error.message : error;
  }
}

describe("one statement is run", () => {
  test.each([
    ["select ';' as a, '--' as b, \"c;\" from (select 1 as \"c;\")", [";", "--", 1]],
    ["select 1 as a /* ; */ -- ;\n;; ", [1]],
    ["-- first\n/* second; */ select '/*' || 'a''; b' as a", ["/*a'; b"]],
    ["select 1 as [a;], 2 as `b;`;", [1, 2]],
    [
      "select 'create trigger t begin delete from x; end;'",
      ["create trigger t begin delete from x; end;"],
    ],
    ["select 1 /* without an end; ", [1]],
    ["\uFEFFSELECT\n1", [1]],
    ["with x(i) as (values (1)) select * from x", [1]],
    ["select 7 - -1, 6/2", [8, 3]],
  ])("%s", (text, row) => {
    expect(run(text)).toEqual([row]);
  });

  test.each([
    ["select 1; delete from t", 2],
    ["select 1; select 2;", 2],
    ["select 1;;garbage", 2],
    ["select 1 -- '\n; select ';'", 2],
    ["select 'a'';'; drop table t; vacuum", 3],
    ["select 1 /* a */; /* b */ delete from t /* c */", 2],
  ])("and no other: %s", (text, count) => {
    expect(run(text)).toBe(
      `Expected one statement, got ${count}. Run each separately; none was run.`,
    );
  });

  test.each(["", " ; ", "-- nothing", "/* nothing */"])("and not none: %p", (text) => {
    expect(run(text)).toStartWith("Expected a statement, such as");
  });
});

describe("whatever is asked, nothing is written, even where it could be", () => {
  const target = (name: string) => directory.file(`written-${name}.db`);
  const statements = [
    "delete from t",
    "insert into t values (1, 2) returning *",
    "update t set a = 1",
    "replace into t values (1, 2)",
    "with x(i) as (select 1) delete from t",
    "select * from (delete from t returning *)",
    "drop table t",
    "create table u (a)",
    "create temp table u (a)",
    "create virtual table u using fts5(a)",
    "alter table t rename to s",
    "vacuum",
    `vacuum into '${target("a")}'`,
    `/* c */ vacuum main into '${target("b")}'`,
    `explain vacuum into '${target("c")}'`,
    `select 1; vacuum into '${target("d")}'`,
    `select 1) ; vacuum into '${target("e")}'; select * from (select 1`,
    `select 1 /* */ ) ; /* */ vacuum into '${target("f")}' --`,
    `attach '${target("g")}' as other`,
    `attach 'file:${target("h")}?mode=rwc' as other`,
    "begin immediate",
    "savepoint a",
    "analyze",
    "reindex",
    "explain pragma journal_mode = wal",
    "explain pragma user_version",
    "pragma journal_mode(wal)",
    "pragma main.user_version = 4",
    `pragma temp_store_directory = '${directory.path}'`,
    `pragma table_info('x'); vacuum into '${target("i")}'`,
    `pragma table_info('x''); vacuum into ''${target("j")}')`,
    "select load_extension('nothing')",
    "select fts3_tokenizer('simple', x'00')",
    "select writefile('x', 'y')",
    "select * from pragma_optimize",
    "select * from pragma_journal_mode('wal')",
    "select * from pragma_wal_checkpoint",
  ];

  test("by any statement", () => {
    const before = contentsOf(directory.path);
    for (const statement of statements) {
      run(statement);
      expect({ statement, files: contentsOf(directory.path) }).toEqual({
        statement,
        files: before,
      });
      expect(client.inTransaction).toBe(false);
    }
  });

  test("by any pragma, in any of its forms", () => {
    const before = contentsOf(directory.path);
    const names = client.query("select name from pragma_pragma_list").values().flat();
    expect(names.length).toBeGreaterThan(50);
    const settings = () =>
      client
        .query("select * from pragma_foreign_keys, pragma_synchronous, pragma_temp_store")
        .values();
    const set = settings();
    for (const name of names) {
      for (const form of ["", " = 1", "(1)", "('wal')", "=wal"])
        run(`pragma ${String(name)}${form}`);
      expect({ name, set: settings() }).toEqual({ name, set });
      expect({ name, files: contentsOf(directory.path) }).toEqual({ name, files: before });
    }
  });

  test("by any mixture of their pieces", () => {
    const before = contentsOf(directory.path);
    const piece = fc.constantFrom(
      "select 1",
      "values (1)",
      "with",
      "explain",
      "pragma",
      "user_version",
      "=",
      "4",
      "(",
      ")",
      "delete from t",
      `vacuum into '${target("m")}'`,
      ";",
      "--",
      "\n",
      "/*",
      "*/",
      "'",
      '"',
      "[",
      "]",
      "`",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        run(pieces.join(" "));
        expect(client.query("select count(*) from t").values()).toEqual([[2]]);
      }),
      { numRuns: 2_000 },
    );
    expect(contentsOf(directory.path)).toEqual(before);
  });
});

test.each([
  ["pragma user_version", [[0]]],
  ["PRAGMA table_info(t);", 2],
  ["pragma table_info('t')", 2],
  ['pragma index_list("t") -- all', 0],
  ["explain query plan select * from t", 1],
])("what reads is run: %s", (text, expected) => {
  const rows = run(text);
  expect(rows).toBeArray();
  if (typeof expected === "number") expect(rows).toHaveLength(expected);
  else expect(rows).toEqual(expected);
});
