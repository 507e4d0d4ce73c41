import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { isDamage } from "./errors.ts";
import { journalDirectory } from "./journal.ts";
import { FileLock } from "./lock.ts";

/**
 * Moves a damaged database aside, whole: the file, its WAL and its index, under `<path>.damaged-<time>`.
 * Nothing is deleted. Returns the new name, or `undefined` if the file proves sound, or if another process
 * is at it. Reads the whole file.
 */
export function setDamagedAside(path: string): string | undefined {
  mkdirSync(journalDirectory(path), { recursive: true, mode: 0o700 });
  const lock = FileLock.tryAcquire(join(journalDirectory(path), "repair.lock"));
  if (!lock) return undefined;
  try {
    if (!existsSync(path) || isSound(path)) return undefined;
    const aside = `${path}.damaged-${new Date().toISOString().replaceAll(":", "-")}`;
    for (const suffix of ["", "-wal", "-shm"]) {
      if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
    }
    return aside;
  } finally {
    lock.release();
  }
}

function isSound(path: string): boolean {
  const client = new Database(path);
  try {
    return client.query("pragma quick_check(1)").values()[0]?.[0] === "ok";
  } catch (error) {
    if (isDamage(error)) return false;
    throw error;
  } finally {
    client.close(true);
  }
}
