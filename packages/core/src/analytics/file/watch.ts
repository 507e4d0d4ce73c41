import type { Database } from "bun:sqlite";
import type { BigIntStats } from "node:fs";
import { contentOf, identityOf, statFile } from "./identity.ts";
import { whileLogLocked } from "./log-lock.ts";
import { newestNote, noteLogOwner, restoreLog } from "./log-owner.ts";
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

/** What happened to the files under an open connection, behind SQLite's back. */
export type FileChange =
  /** The file was moved or removed, another one put in its place, or a symbolic link to it changed. */
  | "moved"
  /** The file is the same one, but something else than SQLite wrote to it, such as `cp backup.db analytics.db`. */
  | "overwritten"
  /** The write-ahead log or its index was removed, and could not get its name back. */
  | "log_removed";

/** What a connection saw last. */
interface Look {
  readonly database: BigIntStats | undefined;
  readonly log: BigIntStats | undefined;
  readonly index: BigIntStats | undefined;
  readonly state: LogState | undefined;
}

/**
 * Sees whether the files under a connection are still the ones it opened. To look costs three `stat` and no lock.
 *
 * In WAL mode the database file changes only in checkpoints. A file that changed was overwritten if no recorder noted a
 * checkpoint, and the log has no trace of one by another program since the newest note. SQLite before 3.51 does not tell
 * how far the log is: there an overwritten file goes unnoticed.
 */
export class FileWatch {
  readonly #client: Database;
  /** As the user named it: a symbolic link may be changed to name another file. */
  readonly #path: string;
  readonly #recorderId: string;
  /** Where the file was when it was opened. */
  readonly file: string;
  #last: Look;
  /** A call that is in the database file itself. */
  #held: NewestCall | undefined;
  #isOverwritten = false;

  constructor(client: Database, path: string, recorderId: string) {
    this.#client = client;
    this.#path = path;
    this.#recorderId = recorderId;
    this.file = fileOf(client);
    this.#last = this.#look();
    this.#held = findNewestAlone(this.file);
    // The name, or a link of that name, may have got another file between opening and looking.
    const isOpened = !hasMoved(client) && isSame(statFile(this.file), this.#last.database);
    if (!isOpened) this.#last = { ...this.#last, database: undefined };
  }

  /** Notes for others that the files belong together. */
  note(): void {
    noteLogOwner(this.#client, this.file, this.#recorderId);
  }

  /** Of the database file, as of the last look. */
  get identity(): string | undefined {
    const { database } = this.#last;
    return database && identityOf(database);
  }

  /** Size and modification time of the database file, as of the last look. */
  get content(): string | undefined {
    const { database } = this.#last;
    return database && contentOf(database);
  }

  /** Length of the log file in bytes, as of the last look. */
  get logBytes(): number {
    return Number(this.#last.log?.size ?? 0);
  }

  /** Pages of the log that are not in the database file, as of the last look. */
  get pagesToCheckpoint(): number {
    const { state } = this.#last;
    return state ? state.pages - state.backfilled : 0;
  }

  /** Whether the log beside the name is the one of this connection. */
  get hasLog(): boolean {
    return isSame(this.#last.log, statFile(`${this.file}-wal`));
  }

  /**
   * What happened since the last look.
   * @throws AnalyticsError `locked` while another recorder moves the log into the database: try again.
   */
  findChange(): FileChange | undefined {
    const change = this.#compare(() => false);
    const isCertain = change === undefined || change === "moved";
    return isCertain ? change : whileLogLocked(this.file, () => this.compare());
  }

  /**
   * The same while the log is locked. Without the lock, another recorder's checkpoint looks as if the file were
   * overwritten, and the log that is given its name back may replace the one of a file that was just made.
   */
  compare(): FileChange | undefined {
    return this.#compare(() => restoreLog(this.file, this.#recorderId));
  }

  #compare(restore: () => boolean): FileChange | undefined {
    const before = this.#last;
    const now = this.#look();
    if (!before.database || !isSame(before.database, now.database)) return "moved";
    const isUntouched = contentOf(before.database) === (now.database && contentOf(now.database));
    const hasNames =
      !before.log || (isSame(before.log, now.log) && isSame(before.index, now.index));
    const hasLog = hasNames || restore();
    if (this.#isOverwritten || (!isUntouched && !this.#isExplained(now))) return "overwritten";
    if (!hasLog) return "log_removed";
    this.#last = hasNames ? now : this.#look();
    if (!isUntouched || !before.log) this.note();
    return undefined;
  }

  /** Accepts the files as they are now, after a checkpoint of this connection, and notes them for others. */
  accept(): void {
    this.#last = this.#look();
    this.note();
  }

  /**
   * Moves the log into the database, as far as no reader is in the way, and makes sure that it is there: something else
   * may overwrite the file at the same time. To be called while the log is locked.
   */
  checkpoint(mode: "passive" | "truncate"): FileChange | undefined {
    if (this.#last.log) syncLog(this.file);
    const change = this.compare();
    if (change !== undefined) return change;
    const newest = findNewestCall(this.#client).newestCall;
    // A reader may keep the newest pages out, but nothing takes away what was there before.
    const held = checkpoint(this.#client, mode) ? newest : this.#held;
    this.#isOverwritten = held !== undefined && !holdsAlone(this.file, held);
    if (this.#isOverwritten) return "overwritten";
    this.#held = held;
    this.accept();
    return undefined;
  }

  #isExplained(now: Look): boolean {
    const note = newestNote(this.file);
    if (note && now.database && note.content === contentOf(now.database)) return true;
    return !lacksCheckpoint(note ? note.state : this.#last.state, now.state);
  }

  #look(): Look {
    return {
      database: statFile(this.#path),
      log: statFile(`${this.file}-wal`),
      index: statFile(`${this.file}-shm`),
      state: logState(this.#client),
    };
  }
}

/** The file that SQLite opened, symbolic links followed. */
function fileOf(client: Database): string {
  return String(client.query("pragma database_list").values()[0]?.[2]);
}

function isSame(one: BigIntStats | undefined, other: BigIntStats | undefined): boolean {
  return (one && identityOf(one)) === (other && identityOf(other));
}

/** Whether nothing of the log came into the database between two looks, or the log cannot be read any more. */
function lacksCheckpoint(before: LogState | undefined, now: LogState | undefined): boolean {
  if (!before) return false;
  if (!now) return true;
  if (now.backfilled === before.backfilled && now.pages >= before.pages) return true;
  // A log that is in the database whole starts over at the next commit, without a checkpoint.
  return before.pages === before.backfilled && now.backfilled === 0;
}
