import { Database } from "bun:sqlite";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { isBusy } from "../errors.ts";
import { hasMoved } from "./write-ahead-log.ts";

/** Pause between two tries to get a lock, in milliseconds. */
const PAUSE_MS = 2;

/**
 * A lock that says whether its holder lives. The operating system lets go of it the moment the process
 * ends, in whatever way: no process id that is used again, no clock, no lease; and it holds across
 * containers that share a volume of one kernel.
 *
 * Bun has no file locks of its own, but SQLite takes them: the lock is an open exclusive transaction on an
 * empty database, which writes nothing. Never open or close the file by other means in the process that
 * holds it: POSIX drops a process's locks with any of its descriptors (https://sqlite.org/howtocorrupt.html).
 */
export class FileLock {
  readonly #client: Database;

  private constructor(client: Database) {
    this.#client = client;
  }

  /**
   * The lock, or `undefined` while another holds it, or removes its file this moment. Makes the file. Throws
   * if the file cannot be made.
   */
  static tryAcquire(path: string): FileLock | undefined {
    for (;;) {
      const client = new Database(path, { create: true, readwrite: true });
      try {
        // No rollback journal beside it. ("off" is refused: it would make the database unsafe.)
        client.run("pragma journal_mode = memory");
        client.run("begin exclusive");
        // Removed by its last holder after we opened it: a lock on a file without a name keeps nobody out.
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

  /** The same, waiting for another holder, the thread asleep, for at most `timeoutMs` milliseconds. */
  static acquire(path: string, timeoutMs: number): FileLock | undefined {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const lock = FileLock.tryAcquire(path);
      if (lock || performance.now() >= deadline) return lock;
      Bun.sleepSync(PAUSE_MS);
    }
  }

  /** Whether somebody holds the lock now. Makes no file. Throws if the file cannot be opened. */
  static isHeld(path: string): boolean {
    if (!existsSync(path)) return false;
    const lock = FileLock.tryAcquire(path);
    lock?.release();
    return lock === undefined;
  }

  /** Whether the file lost its name: others then find no lock, and take its holder for dead. */
  get isRemoved(): boolean {
    return hasMoved(this.#client);
  }

  release(): void {
    this.#client.close(true);
  }

  /** Releases the lock and removes its file. */
  remove(): void {
    const { filename } = this.#client;
    // Removed first: another process that opened the file meanwhile finds that it has lost its name.
    if (!this.isRemoved) rmSync(filename, { force: true });
    this.release();
  }
}
