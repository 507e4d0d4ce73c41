import { SQLiteError } from "bun:sqlite";
import { statfsSync } from "node:fs";
import { dirname } from "node:path";

/** The failures of the analytics database. Each code has a different remedy. */
export const ANALYTICS_ERROR_CODES = [
  /** There is no file to read. */
  "not_found",
  /** The path names a directory. */
  "is_directory",
  /** The file, or its directory, cannot be created or opened. */
  "cannot_open",
  /** The file or the directory does not allow writing. */
  "read_only",
  /** The file is not an SQLite database. */
  "not_a_database",
  /** The file is an SQLite database of another program. */
  "foreign_database",
  /** A newer Toolmeter wrote the file. */
  "newer_schema",
  /** The file is damaged. */
  "corrupt",
  /** Another process held the lock longer than the allowed wait. */
  "locked",
  /** The file was moved, removed, replaced or overwritten while it was written to. */
  "replaced",
  /** One of Toolmeter's tables is missing. */
  "missing_table",
  /** The disk, or the size limit of the database, is full. */
  "full",
  /** The database was closed before the records were written. */
  "closed",
  /** The session to end was never started, and no call named it. */
  "unknown_session",
  /** Anything else; see `cause`. */
  "failed",
] as const;

export type AnalyticsErrorCode = (typeof ANALYTICS_ERROR_CODES)[number];

/** A failure of the analytics database. The message states what was expected, what was found and how to solve it. */
export class AnalyticsError extends Error {
  override readonly name = "AnalyticsError";
  readonly code: AnalyticsErrorCode;
  /** The database file, or `":memory:"`. */
  readonly path: string;

  constructor(code: AnalyticsErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.path = path;
  }
}

/**
 * Returns the code of an `AnalyticsError`; `undefined` for any other value. Never throws, even if reading the value
 * does.
 */
export function analyticsErrorCode(error: unknown): AnalyticsErrorCode | undefined {
  try {
    return error instanceof AnalyticsError ? error.code : undefined;
  } catch {
    return undefined;
  }
}

/** SQLite's primary result codes (https://sqlite.org/rescode.html) that have a specific remedy. */
const EXPLANATIONS: Record<number, readonly [AnalyticsErrorCode, string]> = {
  5: [
    "locked",
    "Expected to get the write lock, but another process holds it. Wait until it is released, or end that process",
  ],
  6: [
    "locked",
    "Expected to get the write lock, but another connection of this process holds it. End its transaction",
  ],
  8: [
    "read_only",
    "Expected a writable database, but it is read-only. Allow writing to the file and its directory, or choose another path",
  ],
  11: [
    "corrupt",
    "Expected a sound database, but its content is damaged. Move the file away together with its -wal and -shm files; a new one is then created",
  ],
  13: [
    "full",
    "Expected free space, but the disk or the database's size limit is full. Free some space: recording then continues automatically. `toolmeter prune` can shrink the file, but needs a little space itself",
  ],
  14: [
    "cannot_open",
    "Expected to open or create the file, but the system refused. Check that its directory allows it, or choose another path",
  ],
  15: [
    "locked",
    "Expected to switch to write-ahead logging, but other processes are switching at the same time. Try again",
  ],
  26: [
    "not_a_database",
    "Expected an SQLite database, got another kind of file. Choose another path, or move the file away",
  ],
};

const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
/** The index of the write-ahead log could not grow. SQLite extends it by 32 KiB, even for reading. */
const SQLITE_IOERR_SHMSIZE = 4_874;

/** Less free space than this, in bytes, counts as none: SQLite extends the index of its log by this amount. */
const MIN_ROOM = 32_768;

/**
 * Whether the cause is missing space. SQLite reports SQLITE_FULL only when it extends the database or its log.
 * Elsewhere, a full disk appears as an I/O error or a file that cannot be opened, so this checks the file system.
 */
function lacksRoom(error: unknown, path: string): boolean {
  if (!(error instanceof SQLiteError)) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return code === "ENOSPC" || code === "EDQUOT";
  }
  if (error.errno === SQLITE_IOERR_SHMSIZE) return true;
  const code = primaryResultCode(error);
  return (code === SQLITE_IOERR || code === SQLITE_CANTOPEN) && isDiskFull(dirname(path));
}

function isDiskFull(directory: string): boolean {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(directory);
    // A file system without a limit on files reports 0 of 0.
    return bavail * bsize < MIN_ROOM || (files > 0 && ffree === 0);
  } catch {
    return false;
  }
}

/** Returns the primary result code of an SQLite error; `undefined` for any other error. */
export function primaryResultCode(error: unknown): number | undefined {
  return error instanceof SQLiteError ? error.errno & 0xff : undefined;
}

/** Whether another connection holds a required lock (`SQLITE_BUSY` and related codes), so that retrying helps. */
export function isBusy(error: unknown): boolean {
  if (analyticsErrorCode(error) === "locked") return true;
  const code = primaryResultCode(error);
  // 5 BUSY, 6 LOCKED, 15 PROTOCOL (a race of several processes starting WAL).
  return code === 5 || code === 6 || code === 15;
}

/** Whether the file is damaged (`SQLITE_CORRUPT`) or, for `"any"`, not a database at all (`SQLITE_NOTADB`). */
export function isDamage(error: unknown, kind: "corrupt" | "any" = "any"): boolean {
  const code = primaryResultCode(error);
  return code === 11 || (code === 26 && kind === "any");
}

/** Converts any error to an `AnalyticsError` and keeps the original as `cause`. */
export function toAnalyticsError(error: unknown, path: string): AnalyticsError {
  if (error instanceof AnalyticsError) return error;
  const text = errorMessage(error);
  if (text === "Database has closed" || text === "Cannot use a closed database") {
    const hint = "Expected an open database, but it was closed. Call `shutdown()` before `close()`";
    return new AnalyticsError("closed", path, `${hint} (${path}).`, { cause: error });
  }
  if (text.startsWith("no such table")) {
    const hint = `Expected Toolmeter's tables, but one is missing (${text}). Restore it, or move the file away; a new one is then created`;
    return new AnalyticsError("missing_table", path, `${hint} (${path}).`, { cause: error });
  }
  const resultCode = lacksRoom(error, path) ? SQLITE_FULL : primaryResultCode(error);
  const [code, hint] = EXPLANATIONS[resultCode ?? -1] ?? ["failed", text];
  const detail = code === "failed" ? path : `${path}: ${text}`;
  return new AnalyticsError(code, path, `${hint} (${detail}).`, { cause: error });
}

/** Longest message of an error, in characters, because a message that quotes its input can have any size. */
const MAX_MESSAGE_LENGTH = 8_192;

/** Returns the message of any thrown value, cut to 8,192 characters. Never throws. */
export function errorMessage(error: unknown): string {
  try {
    const message: unknown = error instanceof Error ? error.message : error;
    if (typeof message === "symbol")
      return `Symbol(${message.description?.slice(0, MAX_MESSAGE_LENGTH) ?? ""})`;
    if (typeof message === "bigint") return "a bigint";
    return String(message).slice(0, MAX_MESSAGE_LENGTH);
  } catch {
    return "an error that cannot be converted to text";
  }
}
