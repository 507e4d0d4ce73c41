import { expect, test } from "bun:test";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { openReadOnly } from "../../../../src/analytics/file/read-only.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

test("opens a file for reading alone", () => {
  using directory = temporaryDirectory();
  createAnalyticsDb(directory.file("a.db")).close();
  using client = openReadOnly(directory.file("a.db"));
  expect(client.query("select count(*) from tool_calls").values()).toEqual([[0]]);
  expect(() => client.run("delete from tool_calls")).toThrow("readonly");
});

test("takes a name with characters that a URI gives a meaning", () => {
  using directory = temporaryDirectory();
  createAnalyticsDb(directory.file("a?mode=rw#%20.db")).close();
  using client = openReadOnly(directory.file("a?mode=rw#%20.db"));
  expect(() => client.run("delete from tool_calls")).toThrow("readonly");
});

test("refuses a file that has to be migrated", () => {
  using directory = temporaryDirectory();
  {
    using db = createAnalyticsDb(directory.file("a.db"));
    db.$client.run("pragma user_version = 0");
  }
  expect(() => openReadOnly(directory.file("a.db"))).toThrow(
    expect.objectContaining({ code: "read_only" }),
  );
});

test("refuses what is no database", async () => {
  using directory = temporaryDirectory();
  await Bun.write(
    directory.file("a.db"),
    "no database, but long enough to be looked at ".repeat(40),
  );
  expect(() => openReadOnly(directory.file("a.db"))).toThrow("not a database");
  expect(() => openReadOnly(directory.file("none.db"))).toThrow("unable to open");
});
