import type { Database } from "bun:sqlite";
import type { BigIntStats } from "node:fs";
import { contentOf, identityOf, statFile } from "./file-identity.ts";
import { isNotedContent, noteLogOwner } from "./log-owner.ts";
import { type LogState, hasMoved, logState } from "./write-ahead-log.ts";

/** What happened to the files under an open connection, behind SQLite's back. */
export type FileChange =
  /** The file was moved or removed, another one put in its place, or a symbolic link to it changed. */
  | "moved"
  /** The file is the same one, but something else than SQLite wrote to it, such as `cp backup.db analytics.db`. */
  | "overwritten"
  /** The write-ahead log was removed. */
  | "log_removed";

/** What a connection saw last. */
interface Look {
  readonly database: BigIntStats | undefined;
  readonly log: BigIntStats | undefined;
  readonly state: LogState | undefined;
}

/**
 * Sees whether the files under a connection are still the ones it opened. To look costs two `stat` and no lock.
 *
 * In WAL mode the database file changes only in checkpoints. A file that changed was overwritten if the log has no
 * trace of a checkpoint and no recorder noted one. SQLite before 3.51 does not tell how far the log is: there an
 * overwritten file goes unnoticed.
 */
export class FileWatch {
  readonly #client: Database;
  /** As the user named it: a symbolic link may be changed to name another file. */
  readonly #path: string;
  readonly #recorderId: string;
  /** Where the file was when it was opened. */
  readonly file: string;
  #last: Look;

  constructor(client: Database, path: string, recorderId: string) {
    this.#client = client;
    this.#path = path;
    this.#recorderId = recorderId;
    this.file = fileOf(client);
    this.#last = this.#look();
    // The name, or a link of that name, may have got another file between opening and looking.
    const isOpened = !hasMoved(client) && isSame(statFile(this.file), this.#last.database);
    if (isOpened) noteLogOwner(this.file, recorderId);
    else this.#last = { ...this.#last, database: undefined };
  }

  /** Of the database file, as of the last look. */
  get identity(): string | undefined {
    const { database } = this.#last;
    return database && identityOf(database);
  }

  /** Size and time of the last change of the database file, as of the last look. */
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

  /** What happened since the last look. */
  findChange(): FileChange | undefined {
    const before = this.#last;
    const now = this.#look();
    if (!before.database || !isSame(before.database, now.database)) return "moved";
    if (before.log && !isSame(before.log, now.log)) return "log_removed";
    const isUntouched = contentOf(before.database) === (now.database && contentOf(now.database));
    if (!isUntouched && lacksCheckpoint(before.state, now.state) && !isNotedContent(this.file))
      return "overwritten";
    this.#last = now;
    if (!isUntouched || !before.log) noteLogOwner(this.file, this.#recorderId);
    return undefined;
  }

  /** Accepts the files as they are now, after a checkpoint of this connection, and notes them for others. */
  accept(): void {
    this.#last = this.#look();
    noteLogOwner(this.file, this.#recorderId);
  }

  #look(): Look {
    return {
      database: statFile(this.#path),
      log: statFile(`${this.file}-wal`),
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

/** Whether nothing came from the log into the database between two looks, or the log cannot be read any more. */
function lacksCheckpoint(before: LogState | undefined, now: LogState | undefined): boolean {
  if (!before) return false;
  if (!now) return true;
  if (now.backfilled === before.backfilled && now.pages >= before.pages) return true;
  // A log that is in the database whole starts over at the next commit, without a checkpoint.
  return before.pages === before.backfilled && now.backfilled === 0;
}
