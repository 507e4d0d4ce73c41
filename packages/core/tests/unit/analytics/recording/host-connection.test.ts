import { expect, test } from "bun:test";
import { readdirSync, renameSync, symlinkSync } from "node:fs";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { journalDirectory } from "../../../../src/analytics/file/journal-directory.ts";
import { HostConnection } from "../../../../src/analytics/recording/host-connection.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const notes = (path: string) =>
  readdirSync(journalDirectory(path)).filter((name) => name.startsWith("recorder"));

test("the log that a host uses is noted, until it is forgotten", () => {
  using directory = temporaryDirectory();
  using db = createAnalyticsDb(directory.file("a.db"));
  db.$client.run("create table in_the_log (a)");
  const host = new HostConnection(db, "recorder");
  expect(notes(db.path)).toContain("recorder.owner");
  host.forget();
  expect(notes(db.path)).toEqual([]);
});

test("the note is forgotten where it was made, though the link leads elsewhere by then", () => {
  using directory = temporaryDirectory();
  const [link, real] = [directory.file("link.db"), directory.file("real.db")];
  symlinkSync(real, link);
  using db = createAnalyticsDb(link);
  const host = new HostConnection(db, "recorder");
  expect(notes(real)).toContain("recorder.owner");
  renameSync(link, directory.file("old-link.db"));
  symlinkSync(directory.file("other.db"), link);
  host.forget();
  expect(notes(real)).toEqual([]);
});

test("a transaction that the host left open is rolled back, also if its connection is closed", () => {
  using directory = temporaryDirectory();
  const db = createAnalyticsDb(directory.file("a.db"));
  const host = new HostConnection(db, "recorder");
  host.rollBack();
  db.$client.run("begin");
  db.$client.run("create table half_done (a)");
  host.rollBack();
  expect(db.$client.inTransaction).toBe(false);
  db.close();
  host.rollBack();
});

test("a host that passed a path has nothing to note", () => {
  using directory = temporaryDirectory();
  const path = directory.file("a.db");
  const host = new HostConnection({ path }, "recorder");
  host.rollBack();
  host.forget();
  expect(readdirSync(directory.path)).toEqual([]);
});
