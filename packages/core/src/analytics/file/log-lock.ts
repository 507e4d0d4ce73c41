import { join } from "node:path";
import { AnalyticsError } from "../errors.ts";
import { journalDirectory } from "./journal-directory.ts";
import { FileLock } from "./lock.ts";

/**
 * Runs a step while no other recorder can checkpoint, empty or rename the log. Each recorder notes its change before it
 * releases the lock. While the lock is held, a change of the database file without a note therefore means that
 * something else overwrote the file.
 * @throws AnalyticsError `locked` if another process holds the lock: try again.
 */
export function whileLogLocked<T>(file: string, step: () => T): T {
  const lock = acquireLogLock(file);
  try {
    return step();
  } finally {
    lock?.remove();
  }
}

/** Acquires the lock; returns `undefined` where its file cannot be created, because then no notes can exist either. */
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
    `Expected to lock the write-ahead log of ${file}, but another process holds the lock. Try again.`,
  );
}
