import { Database } from "bun:sqlite";
import { chmodSync, rmSync } from "node:fs";
import { isBusy } from "./errors.ts";
import { hasMoved } from "./write-ahead-log.ts";

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

  /** The lock, or `undefined` while another holds it. Makes the file. Throws if the file cannot be made. */
  static tryAcquire(path: string): FileLock | undefined {
    const client = new Database(path, { create: true, readwrite: true });
    try {
      chmodSync(path, 0o600);
      // No rollback journal beside it. ("off" is refused: it would make the database unsafe.)
      client.run("pragma journal_mode = memory");
      client.run("begin exclusive");
      // Its last holder removed the file after we had opened it: the next one makes another.
      if (hasMoved(client)) {
        client.close(true);
        return undefined;
      }
      return new FileLock(client);
    } catch (error) {
      client.close(true);
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  release(): void {
    this.#client.close(true);
  }

  /** Releases the lock and removes its file; the next holder makes it again. */
  remove(): void {
    const { filename } = this.#client;
    // Removed first: once it is released, the name may be the next holder's.
    rmSync(filename, { force: true });
    this.release();
  }
}
