import type { Database } from "bun:sqlite";
import type { BigIntStats } from "node:fs";
import { contentOf, identityOf, statFile } from "./identity.ts";
import { whileLogLocked } from "./log-lock.ts";
import { type FilesSeen, newestNote, noteLogOwner, restoreLog } from "./log-owner.ts";
import {
  type LogState,
  type NewestCall,
  checkpoint,
  findNewestAlone,
  findNewestCall,
  hasMoved,
  holdsAlone,
  logState,
  syncLog,
} from "./write-ahead-log.ts";

/** A change to the files of an open connection that SQLite does not notice. */
export type FileChange =
  /** The file was moved, removed or replaced, or a symbolic link to it was changed. */
  | "moved"
  /** Something other than SQLite wrote to the file, such as `cp backup.db analytics.db`. */
  | "overwritten"
  /** The write-ahead log or its index was removed and could not be restored. */
  | "log_removed";

/** The state of the files at one check. */
interface Snapshot extends FilesSeen {
  readonly index: BigIntStats | undefined;
}

/**
 * Checks whether the files of a connection are still the ones it opened. One check costs three `stat` calls and no
 * lock.
 *
 * In WAL mode, only checkpoints change the database file. A changed file counts as overwritten if no recorder noted a
 * checkpoint, and the log shows no checkpoint by another program since the newest note. SQLite before 3.51 does not
 * report the state of the log; with it, an overwritten file goes unnoticed.
 */
export class FileWatch {
  readonly #client: Database;
  /** The path as the user gave it, because a symbolic link in it can be changed to another file. */
  readonly #path: string;
  readonly #recorderId: string;
  /** The path of the file when it was opened, with symbolic links resolved. */
  readonly file: string;
  #last: Snapshot;
  /** A call that is in the database file itself, not only in its log. */
  #held: NewestCall | undefined;
  #isOverwritten = false;

  constructor(client: Database, path: string, recorderId: string) {
    this.#client = client;
    this.#path = path;
    this.#recorderId = recorderId;
    this.file = fileOf(client);
    this.#last = this.#snapshot();
    this.#held = findNewestAlone(this.file);
    // Between opening and checking, the name, or a symbolic link of that name, may have come to refer to another file.
    const isOpened = !hasMoved(client) && isSame(statFile(this.file), this.#last.database);
    if (!isOpened) this.#last = { ...this.#last, database: undefined };
  }

  /** Notes for other processes that the files, as of the last check, belong together. */
  note(): void {
    noteLogOwner(this.#client, this.file, this.#recorderId, this.#last);
  }

  /** Identity of the database file, as of the last check. */
  get identity(): string | undefined {
    const { database } = this.#last;
    return database && identityOf(database);
  }

  /** Size and modification time of the database file, as of the last check. */
  get content(): string | undefined {
    const { database } = this.#last;
    return database && contentOf(database);
  }

  /** Length of the log file in bytes, as of the last check. */
  get logBytes(): number {
    return Number(this.#last.log?.size ?? 0);
  }

  /** Pages of the log that are not in the database file, as of the last check. */
  get pagesToCheckpoint(): number {
    const { state } = this.#last;
    return state ? state.pages - state.backfilled : 0;
  }

  /** Whether the connection has a log open that had no name at the last check, so that nobody else would read it. */
  get hasLostLog(): boolean {
    return this.#last.state !== undefined && this.#last.log === undefined;
  }

  /** Whether the log beside the file is the one that this connection uses. */
  get hasLog(): boolean {
    return isSame(this.#last.log, statFile(`${this.file}-wal`));
  }

  /**
   * Returns the change since the last check, if there is one.
   * @throws AnalyticsError `locked` while another recorder runs a checkpoint: try again.
   */
  findChange(): FileChange | undefined {
    const change = this.#compare(() => false);
    const isCertain = change === undefined || change === "moved";
    return isCertain ? change : whileLogLocked(this.file, () => this.compare());
  }

  /**
   * Checks like `findChange`, and restores a removed log. Call it only while holding the log's lock: otherwise another
   * recorder's checkpoint looks like an overwritten file, and a restored log may replace the log of a new file.
   */
  compare(): FileChange | undefined {
    return this.#compare(() => restoreLog(this.file, this.#recorderId));
  }

  #compare(restore: () => boolean): FileChange | undefined {
    const before = this.#last;
    const now = this.#snapshot();
    if (!before.database || !isSame(before.database, now.database)) return "moved";
    const isUntouched = contentOf(before.database) === (now.database && contentOf(now.database));
    const hasNames = !before.log || hasSameLog(before, now);
    const hasLog = hasNames || restore();
    if (this.#isOverwritten || (!isUntouched && !this.#isExplained(now))) return "overwritten";
    if (!hasLog) return "log_removed";
    this.#last = hasNames ? now : this.#snapshot();
    if (!isUntouched || !before.log) this.note();
    return undefined;
  }

  /**
   * Accepts a state of the files, after a checkpoint of this connection, and notes it for other processes.
   */
  accept(seen = this.#snapshot()): void {
    // A connection keeps its log: if another one has its name, or none, the next check must find that.
    const { log, index } = hasSameLog(this.#last, seen) ? seen : this.#last;
    this.#last = { ...seen, log, index };
    this.note();
  }

  /**
   * Moves the log into the database as far as readers allow, and verifies the result, because another program may
   * overwrite the file at the same time. Call it only while holding the log's lock.
   */
  checkpoint(mode: "passive" | "truncate"): FileChange | undefined {
    if (this.#last.log) syncLog(this.file);
    const change = this.compare();
    if (change !== undefined) return change;
    const newest = findNewestCall(this.#client).newestCall;
    // A reader may block the newest pages, but calls that were in the file before must still be there.
    const held = checkpoint(this.#client, mode) ? newest : this.#held;
    // Before the content is verified: a change after that must not be accepted with it.
    const seen = this.#snapshot();
    this.#isOverwritten = held !== undefined && !holdsAlone(this.file, held);
    if (this.#isOverwritten) return "overwritten";
    this.#held = held;
    this.accept(seen);
    return undefined;
  }

  #isExplained(now: Snapshot): boolean {
    const note = newestNote(this.file);
    if (note && now.database && note.content === contentOf(now.database)) return true;
    return !lacksCheckpoint(note ? note.state : this.#last.state, now.state);
  }

  #snapshot(): Snapshot {
    return {
      database: statFile(this.#path),
      log: statFile(`${this.file}-wal`),
      index: statFile(`${this.file}-shm`),
      state: logState(this.#client),
    };
  }
}

/** Returns the path of the file that SQLite opened, with symbolic links resolved. */
function fileOf(client: Database): string {
  return String(client.query("pragma database_list").values()[0]?.[2]);
}

function hasSameLog(one: Snapshot, other: Snapshot): boolean {
  return isSame(one.log, other.log) && isSame(one.index, other.index);
}

function isSame(one: BigIntStats | undefined, other: BigIntStats | undefined): boolean {
  return (one && identityOf(one)) === (other && identityOf(other));
}

/** Whether no page moved from the log into the database between two checks, or the log can no longer be read. */
function lacksCheckpoint(before: LogState | undefined, now: LogState | undefined): boolean {
  if (!before) return false;
  if (!now) return true;
  if (now.backfilled === before.backfilled && now.pages >= before.pages) return true;
  // A fully checkpointed log restarts at the next commit, without another checkpoint.
  return before.pages === before.backfilled && now.backfilled === 0;
}
