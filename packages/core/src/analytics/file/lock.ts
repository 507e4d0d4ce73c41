import { Database } from "bun:sqlite";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { isBusy } from "../errors.ts";
import { hasMoved } from "./write-ahead-log.ts";

/** Pause between two attempts to acquire a lock, in milliseconds. */
const PAUSE_MS = 2;

/**
 * A lock that shows whether its holder is alive. The operating system releases it as soon as the process ends, however
 * it ends. It needs no process ids (which are reused), no clock and no lease, and it works across containers that share
 * a volume on one kernel.
 *
 * Bun has no file locks, so the lock is SQLite's: an open exclusive transaction on an empty database, which writes
 * nothing. Never open or close the file in another way in the process that holds the lock: closing any descriptor of a
 * file drops all POSIX locks that the process holds on it (https://sqlite.org/howtocorrupt.html).
 */
export class FileLock {
  readonly #client: Database;

  private constructor(client: Database) {
    this.#client = client;
  }

  /**
   * Acquires the lock and creates its file. Returns `undefined` while another process holds the lock or is removing its
   * file. Throws if the file cannot be created.
   */
  static tryAcquire(path: string): FileLock | undefined {
    for (;;) {
      const client = new Database(path, { create: true, readwrite: true });
      try {
        // No rollback journal beside the file. (SQLite refuses "off", which would make the database unsafe.)
        client.run("pragma journal_mode = memory");
        client.run("begin exclusive");
        // If the last holder removed the file after we opened it, a lock on the unnamed file excludes nobody.
        if (!hasMoved(client)) {
          chmodSync(path, 0o600);
          return new FileLock(client);
        }
        client.close(true);
      } catch (error) {
        client.close(true);
        if (isBusy(error)) return undefined;
        throw error;
      }
    }
  }

  /**
   * Acquires the lock like `tryAcquire`, but blocks the thread for at most `timeoutMs` while another process holds it.
   */
  static acquire(path: string, timeoutMs: number): FileLock | undefined {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const lock = FileLock.tryAcquire(path);
      if (lock || performance.now() >= deadline) return lock;
      Bun.sleepSync(PAUSE_MS);
    }
  }

  /** Whether any process holds the lock now. Never creates the file. Throws if the file cannot be opened. */
  static isHeld(path: string): boolean {
    if (!existsSync(path)) return false;
    const lock = FileLock.tryAcquire(path);
    lock?.release();
    return lock === undefined;
  }

  /** Whether the lock's file was removed or renamed. Other processes then find no lock and consider its holder dead. */
  get isRemoved(): boolean {
    return hasMoved(this.#client);
  }

  release(): void {
    this.#client.close(true);
  }

  /** Releases the lock and removes its file. */
  remove(): void {
    const { filename } = this.#client;
    // Remove before releasing: a process that has opened the file meanwhile then notices that it was removed.
    if (!this.isRemoved) rmSync(filename, { force: true });
    this.release();
  }
}
