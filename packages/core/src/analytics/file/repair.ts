import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { canonicalPath } from "./canonical-path.ts";
import { isDamage } from "../errors.ts";
import { readFileHeader } from "./header.ts";
import { journalDirectory } from "./journal-directory.ts";
import { FileLock } from "./lock.ts";
import { whileLogLocked } from "./log-lock.ts";
import { separateForeignLog } from "./log-owner.ts";

/**
 * Moves a damaged database aside as a whole: the file, its log and its index become `<path>.damaged-<time>`. Nothing is
 * deleted. Returns the new path, or `undefined` if the file is sound, belongs to another program, or is being repaired
 * by another process. Reads the whole file. The caller must ensure that nothing is still writing to it (`stable.ts`).
 * @param isKnown Whether the file was known as Toolmeter's before its header was lost.
 */
export function setDamagedAside(path: string, isKnown = false): string | undefined {
  const file = canonicalPath(path);
  if (!existsSync(file) || !(readFileHeader(file)?.isOurs ?? isKnown)) return undefined;
  mkdirSync(journalDirectory(path), { recursive: true, mode: 0o700 });
  const lock = FileLock.tryAcquire(join(journalDirectory(path), "repair.lock"));
  if (!lock) return undefined;
  try {
    return whileLogLocked(file, () => {
      // Together with the log of its predecessor, a restored backup looks damaged.
      separateForeignLog(file);
      if (!existsSync(file) || isSound(file)) return undefined;
      const aside = `${file}.damaged-${new Date().toISOString().replaceAll(":", "-")}`;
      for (const suffix of ["", "-wal", "-shm"]) {
        if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix);
      }
      return aside;
    });
  } finally {
    lock.remove();
  }
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
