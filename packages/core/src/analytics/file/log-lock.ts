import { join } from "node:path";
import { AnalyticsError } from "../errors.ts";
import { journalDirectory } from "./journal-directory.ts";
import { FileLock } from "./lock.ts";

/**
 * Runs a step while no other recorder moves the log into the database, empties it or takes its name away. Each notes
 * what it did before it lets go of the lock: under it, a database file that nobody noted was overwritten.
 * @throws AnalyticsError `locked` if another one holds the lock: try again.
 */
export function whileLogLocked<T>(file: string, step: () => T): T {
  const lock = acquireLogLock(file);
  try {
    return step();
  } finally {
    lock?.remove();
  }
}

/** The lock, or none where its file cannot be made: then there are no notes either. */
function acquireLogLock(file: string): FileLock | undefined {
  try {
    const lock = FileLock.tryAcquire(join(journalDirectory(file), "log.lock"));
    if (lock) return lock;
  } catch {
    return undefined;
  }
  throw new AnalyticsError(
    "locked",
    file,
    `Expected to look after the write-ahead log of ${file}, but another process does so. Try again.`,
  );
}
