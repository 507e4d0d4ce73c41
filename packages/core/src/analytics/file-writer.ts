import { type Database, constants } from "bun:sqlite";
import { statSync } from "node:fs";
import { whileBusy, whileBusySync } from "./busy.ts";
import { openConnection } from "./connection.ts";
import { AnalyticsError, errorMessage, isBusy, isDamage, toAnalyticsError } from "./errors.ts";
import type { TelemetryRecord } from "./record.ts";
import { setDamagedAside } from "./repair.ts";
import { BUSY_WAIT_MS, type RecordRejection, type RecordWriter, Writer } from "./writer.ts";

/** A connection of the writer's own, and the files it was opened on. */
interface Opened {
  readonly client: Database;
  readonly writer: Writer;
  /** The WAL's inode, since the first commit. */
  wal?: number | undefined;
}

/** What the last commit took; sizes in bytes, times in milliseconds. */
export interface CommitCost {
  readonly commitMs: number;
  readonly lockWaitMs: number;
  readonly walBytes: number;
}

/**
 * Writes batches into a file through a connection of its own, and sees to it that they arrive: after each
 * commit it looks whether the database and its WAL are still the files of these names. If somebody moved,
 * removed or replaced one, it opens what is there now, or a new file, and commits the batch again.
 *
 * A damaged database is moved aside whole, and a new one begun. Opens at the first write, and after errors.
 */
export class FileWriter implements RecordWriter {
  readonly #path: string;
  readonly #recorderId: string;
  readonly #warn: (message: string) => void;
  #opened: Opened | undefined;
  #cost: CommitCost = { commitMs: 0, lockWaitMs: 0, walBytes: 0 };

  /** @param warn Told of a file that was replaced or moved aside. */
  constructor(path: string, recorderId: string, warn: (message: string) => void) {
    this.#path = path;
    this.#recorderId = recorderId;
    this.#warn = warn;
  }

  /** The connection, if one is open. */
  get client(): Database | undefined {
    return this.#opened?.client;
  }

  get cost(): CommitCost {
    return this.#cost;
  }

  /** Commits a batch; while another process holds the lock, tries again on a timer, for 300 ms. */
  async write(batch: readonly TelemetryRecord[]): Promise<readonly RecordRejection[]> {
    const startedAt = performance.now();
    try {
      return await whileBusy(startedAt + BUSY_WAIT_MS, () => this.#commit(batch, startedAt));
    } catch (error) {
      throw toAnalyticsError(error, this.#path);
    }
  }

  /** The same in the calling thread, for at most `timeoutMs` milliseconds of waiting: the end of a process. */
  writeSync(batch: readonly TelemetryRecord[], timeoutMs: number): readonly RecordRejection[] {
    const startedAt = performance.now();
    return whileBusySync(startedAt + timeoutMs, () => this.#commit(batch, startedAt));
  }

  /** Moves the WAL's content into the database, as far as nobody is in the way. Never waits, never throws. */
  checkpoint(mode: "passive" | "truncate"): void {
    try {
      this.#opened?.client.run(`pragma wal_checkpoint(${mode})`);
    } catch {
      // The next one does it.
    }
  }

  /** Closes the connection, the WAL emptied if nobody else has the file open. Safe to call twice. */
  close(): void {
    this.checkpoint("truncate");
    this.#drop();
  }

  #commit(batch: readonly TelemetryRecord[], startedAt: number): readonly RecordRejection[] {
    const begunAt = performance.now();
    try {
      const opened = (this.#opened ??= this.#open());
      const rejections = opened.writer.commit(batch);
      const wal = this.#verify(opened);
      this.#cost = {
        commitMs: performance.now() - begunAt,
        lockWaitMs: begunAt - startedAt,
        walBytes: wal,
      };
      return rejections;
    } catch (error) {
      if (isBusy(error)) throw error;
      // Whatever it was, a fresh connection sees what is there now.
      this.#drop();
      if (isDamage(error)) this.#setAside(error);
      throw error;
    }
  }

  #open(): Opened {
    const { client } = openConnection(this.#path, 0);
    // The writer itself makes the session's row of a call; to have SQLite look for it takes a tenth of the time.
    client.run("pragma foreign_keys = off");
    return { client, writer: new Writer(client, this.#path, this.#recorderId) };
  }

  /** Throws if the files are not the ones of these names any more. Returns the length of the WAL in bytes. */
  #verify(opened: Opened): number {
    const wal = statSync(`${this.#path}-wal`, { throwIfNoEntry: false });
    opened.wal ??= wal?.ino;
    if (!hasMoved(opened.client) && opened.wal === wal?.ino) return wal?.size ?? 0;
    this.#warn(
      `Expected to write to ${this.#path}, but the file was moved, removed or replaced. Recording goes on in the file of that name; what the other one holds stays there.`,
    );
    throw new AnalyticsError(
      "replaced",
      this.#path,
      `${this.#path} was moved, removed or replaced.`,
    );
  }

  #setAside(cause: unknown): void {
    try {
      const aside = setDamagedAside(this.#path);
      if (aside === undefined) return;
      this.#warn(
        `Expected a sound database, but ${this.#path} is damaged (${errorMessage(cause)}). It is now ${aside}, with all its data; a new one is begun.`,
      );
    } catch (error) {
      this.#warn(`${this.#path} is damaged and could not be moved aside: ${errorMessage(error)}.`);
    }
  }

  #drop(): void {
    const client = this.#opened?.client;
    this.#opened = undefined;
    try {
      client?.close(true);
    } catch {
      // A connection on a broken file may not close cleanly; it is not used again.
    }
  }
}

/** Whether the file under a connection was renamed or removed (https://sqlite.org/c3ref/c_fcntl_begin_atomic_write.html). */
function hasMoved(client: Database): boolean {
  // Bun asks for eight bytes; SQLite writes the first four.
  const moved = new Int32Array(2);
  client.fileControl(constants.SQLITE_FCNTL_HAS_MOVED, moved);
  return moved[0] !== 0;
}
