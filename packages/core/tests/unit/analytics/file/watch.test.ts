import { Database } from "bun:sqlite";
import { afterEach, describe, expect, mock, spyOn, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { openConnection } from "../../../../src/analytics/file/connection.ts";
import { journalDirectory, lockName } from "../../../../src/analytics/file/journal-directory.ts";
import { FileLock } from "../../../../src/analytics/file/lock.ts";
import { type FileChange, FileWatch } from "../../../../src/analytics/file/watch.ts";
import { ConnectionWriter } from "../../../../src/analytics/writing/connection-writer.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { call } from "../../../support/records.ts";

afterEach(() => mock.restore());

/** A file with one call in it, and two recorders that watch it. */
function setUp() {
  const directory = temporaryDirectory();
  const file = directory.file("a.db");
  mkdirSync(journalDirectory(file), { recursive: true });
  const recorder = (id: string) => {
    const lock = FileLock.tryAcquire(join(journalDirectory(file), lockName(id)));
    const { client } = openConnection(file, 1_000);
    client.run("pragma wal_autocheckpoint = 0");
    const writer = new ConnectionWriter(client, file, id);
    const watch = new FileWatch(client, file, id);
    watch.note();
    return { client, watch, lock, write: () => writer.commit([call()]) };
  };
  const [first, second] = [recorder("first"), recorder("second")];
  first.write();
  first.watch.findChange();
  second.watch.findChange();
  return {
    directory,
    file,
    first,
    second,
    [Symbol.dispose]() {
      for (const { client, lock } of [first, second]) {
        client.close(true);
        lock?.release();
      }
      directory[Symbol.dispose]();
    },
  };
}

describe("a file that recorders watch", () => {
  test("is unchanged by their commits and their checkpoints", () => {
    using store = setUp();
    const { first, second } = store;
    second.write();
    expect([first.watch.findChange(), second.watch.findChange()]).toEqual([undefined, undefined]);
    expect(first.watch.checkpoint("passive")).toBeUndefined();
    expect([first.watch.findChange(), second.watch.findChange()]).toEqual([undefined, undefined]);
  });

  test.each<[FileChange, (file: string) => void]>([
    ["moved", (file: string) => renameSync(file, `${file}.moved`)],
    ["overwritten", (file: string) => truncateSync(file)],
    ["overwritten", (file: string) => copyFileSync(`${file}.backup`, file)],
  ])("is found %s by all of them", (change, replace) => {
    using store = setUp();
    const { file, first, second } = store;
    first.client.run("vacuum into ?", [`${file}.backup`]);
    replace(file);
    expect([first.watch.findChange(), second.watch.findChange()]).toEqual([change, change]);
  });

  const REPLACED: readonly [FileChange, string, (file: string) => void][] = [
    ["overwritten", "cut to no bytes", (file) => truncateSync(file)],
    ["overwritten", "a backup copied over it", (file) => copyFileSync(`${file}.backup`, file)],
    ["moved", "renamed", (file) => renameSync(file, `${file}.moved`)],
    ["moved", "removed", (file) => rmSync(file)],
  ];

  test.each(REPLACED)(
    "is found %s (%s) if that happens while another recorder's checkpoint is noted",
    (change, _name, replace) => {
      using store = setUp();
      const { file, first, second } = store;
      first.client.run("vacuum into ?", [`${file}.backup`]);
      first.write();
      first.watch.checkpoint("passive");
      const query = second.client.query.bind(second.client);
      // The last look at the files of this check.
      spyOn(second.client, "query").mockImplementationOnce((sql: string) => {
        replace(file);
        return query(sql);
      });
      expect(second.watch.findChange()).toBeUndefined();
      expect([first.watch.findChange(), second.watch.findChange()]).toEqual([change, change]);
    },
  );

  test.each(REPLACED)(
    "is found %s (%s) if that happens right after a checkpoint was verified",
    (change, _name, replace) => {
      using store = setUp();
      const { file, first, second } = store;
      first.client.run("vacuum into ?", [`${file}.backup`]);
      first.write();
      const close = Reflect.get(Database.prototype, "close");
      // The connection that verifies the checkpoint is closed when it has done so.
      spyOn(Database.prototype, "close").mockImplementationOnce(function (
        this: Database,
        isStrict,
      ) {
        Reflect.apply(close, this, [isStrict]);
        replace(file);
      });
      first.watch.checkpoint("passive");
      expect([first.watch.findChange(), second.watch.findChange()]).toEqual([change, change]);
    },
  );

  test("gets its log back if that was removed during a checkpoint", () => {
    using store = setUp();
    const { file, first } = store;
    first.write();
    first.watch.findChange();
    const query = first.client.query.bind(first.client);
    const removeLog = () => {
      for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
    };
    Reflect.set(first.client, "query", (sql: string) => {
      const values = query(sql).values();
      if (sql.includes("passive")) removeLog();
      return { values: () => values };
    });
    first.watch.checkpoint("passive");
    expect(existsSync(`${file}-wal`)).toBe(false);
    expect(first.watch.findChange()).toBeUndefined();
    expect(existsSync(`${file}-wal`)).toBe(true);
  });
});
