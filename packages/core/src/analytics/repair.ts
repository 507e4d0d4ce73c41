import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, openSync, readSync, renameSync } from "node:fs";
import { join } from "node:path";
import { canonicalPath } from "./canonical-path.ts";
import { isDamage } from "./errors.ts";
import { contentOf, statFile } from "./file-identity.ts";
import { journalDirectory } from "./journal.ts";
import { FileLock } from "./lock.ts";
import { APPLICATION_ID } from "./migrations.ts";

/** A file that changes in this time, in milliseconds, is still being written: a backup that is copied there. */
const SETTLE_MS = 100;

/**
 * Moves a damaged database aside, whole: the file, its log and its index, under `<path>.damaged-<time>`.
 * Nothing is deleted. Returns the new name, or `undefined` if the file is sound, still being written, another
 * program's, or another process takes care of it. Reads the whole file.
 * @param isKnown Whether the file was Toolmeter's before its header was lost.
 */
export function setDamagedAside(path: string, isKnown = false): string | undefined {
  const file = canonicalPath(path);
  if (!existsSync(file) || !(isOurs(file) ?? isKnown)) return undefined;
  mkdirSync(journalDirectory(path), { recursive: true, mode: 0o700 });
  const lock = FileLock.tryAcquire(join(journalDirectory(path), "repair.lock"));
  if (!lock) return undefined;
  try {
    if (!existsSync(file) || isSound(file) || isBeingWritten(file)) return undefined;
    const aside = `${file}.damaged-${new Date().toISOString().replaceAll(":", "-")}`;
    for (const suffix of ["", "-wal", "-shm"]) {
      if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix);
    }
    return aside;
  } finally {
    lock.release();
  }
}

/** Never closed: with any descriptor of a file that is closed, POSIX drops all locks of the process on it. */
const heldOpen: number[] = [];

const MAGIC = "SQLite format 3\0";

/** Whether the header says that the file is a database of Toolmeter; undefined if there is no header of SQLite's. */
function isOurs(file: string): boolean | undefined {
  const header = Buffer.alloc(72);
  const descriptor = openSync(file, "r");
  heldOpen.push(descriptor);
  readSync(descriptor, header, 0, header.length, 0);
  // https://sqlite.org/fileformat.html#the_database_header
  if (header.toString("latin1", 0, MAGIC.length) !== MAGIC) return undefined;
  return header.readUInt32BE(68) === APPLICATION_ID;
}

function isSound(file: string): boolean {
  const client = new Database(file);
  try {
    return client.query("pragma quick_check(1)").values()[0]?.[0] === "ok";
  } catch (error) {
    if (isDamage(error)) return false;
    throw error;
  } finally {
    client.close(true);
  }
}

function isBeingWritten(file: string): boolean {
  const before = statFile(file);
  Bun.sleepSync(SETTLE_MS);
  const now = statFile(file);
  return !before || !now || contentOf(now) !== contentOf(before);
}
