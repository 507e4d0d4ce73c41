import { Database, constants } from "bun:sqlite";
import {
  accessSync,
  chmodSync,
  constants as access,
  existsSync,
  mkdirSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { whileBusySync } from "./busy.ts";
import { canonicalPath } from "./canonical-path.ts";
import { AnalyticsError, type AnalyticsErrorCode, toAnalyticsError } from "../errors.ts";
import { contentOf, statFile } from "./identity.ts";
import { whileLogLocked } from "./log-lock.ts";
import { restoreWalMode, separateForeignLog } from "./log-owner.ts";
import { isCurrent, migrate } from "./migrations.ts";
import { hasMoved } from "./write-ahead-log.ts";

/** The path of a database without a file. */
export const MEMORY = ":memory:";

/** SQLite allows 512 bytes on Unix, the suffix `-journal` included. */
const MAX_PATH_BYTES = 504;

/** A connection that is identified, migrated and configured. Whoever opened it closes it. */
export interface Connection {
  readonly client: Database;
  /** The journal mode the file really has: `"wal"`, `"memory"`, or what the file system allowed. */
  readonly journalMode: string;
}

/** Set on each connection, in this order. `busy_timeout` is 0: see `busy.ts`. */
const PRAGMAS = [
  // No fsync at a commit. A crash of the process loses nothing; a power cut may lose the last commits.
  "synchronous = normal",
  // The WAL file shrinks back to 4 MiB after a long reader made it grow.
  "journal_size_limit = 4194304",
  // A call always has its session's row; SQLite leaves this off by default.
  "foreign_keys = on",
  // A function or view planted in the file must not run with our rights (https://sqlite.org/pragma.html#pragma_trusted_schema).
  "trusted_schema = off",
  "busy_timeout = 0",
] as const;

/**
 * Opens a file, or memory, and makes it ours: directory, permissions, schema, pragmas.
 *
 * Waits in the calling thread, for at most `timeoutMs`, for other processes that open or migrate the file.
 * @param warn Told of a write-ahead log that did not belong to the file.
 * @throws AnalyticsError, or SQLite's own error.
 */
export function openConnection(
  file: string,
  timeoutMs: number,
  warn: (message: string) => void = () => undefined,
): Connection {
  const deadline = performance.now() + timeoutMs;
  if (file === MEMORY) return openWhileLocked(file, warn);
  return whileBusySync(deadline, () => whileLogLocked(file, () => openWhileLocked(file, warn)));
}

/**
 * Opens a file as `openConnection` does, without waiting. To be called while the log is locked: one process at a time
 * makes a file and its log, or takes away a log that does not belong to a file.
 */
export function openWhileLocked(file: string, warn: (message: string) => void): Connection {
  const client = openWithItsLog(file, warn);
  try {
    return { client, journalMode: prepare(client, file) };
  } catch (error) {
    client.close(true);
    throw error;
  }
}

/** Failures that do not pass by themselves. */
const LASTING: ReadonlySet<AnalyticsErrorCode> = new Set([
  "is_directory",
  "not_a_database",
  "foreign_database",
  "newer_schema",
]);

/**
 * Throws an AnalyticsError if the path names a directory, another program's file, or a file of a newer schema. Never
 * waits. Any other obstacle may pass (a lock, a directory that is not mounted yet, missing permissions) or is for the
 * writer to deal with (damage).
 */
export function assertUsable(file: string): void {
  const before = statFile(file);
  if (!before) return;
  try {
    if (isMissing(file)) return;
    const client = openToIdentify(file);
    try {
      client.transaction(() => isCurrent(client, file)).deferred();
    } finally {
      client.close(true);
    }
  } catch (error) {
    const known = toAnalyticsError(error, file);
    const after = statFile(file);
    const isUnchanged = after !== undefined && contentOf(after) === contentOf(before);
    if (LASTING.has(known.code) && isUnchanged) throw known;
  }
}

/**
 * Opens a file for reading only: a connection that may write would move the log of a killed process into the file when
 * it closes. Where there is no log, nobody has the file open, and it is read without locks and files beside it.
 */
function openToIdentify(file: string): Database {
  const { SQLITE_OPEN_READONLY, SQLITE_OPEN_URI } = constants;
  const hasLog = existsSync(`${file}-wal`) || existsSync(`${file}-journal`);
  return new Database(
    `${pathToFileURL(file).href}?mode=ro${hasLog ? "" : "&immutable=1"}`,
    SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
  );
}

/** SQLite opens the log at the first read: until then, the file of that name may become another one. */
function openWithItsLog(file: string, warn: (message: string) => void): Database {
  if (file === MEMORY) return openFile(file);
  for (;;) {
    separateForeignLog(file, warn);
    const client = openFile(file);
    try {
      separateForeignLog(file, warn);
      if (!hasMoved(client) && !restoreWalMode(client, file)) return client;
    } catch (error) {
      client.close(true);
      throw error;
    }
    client.close(true);
  }
}

function openFile(file: string): Database {
  if (file === MEMORY) return new Database(MEMORY, { strict: true });
  assertShort(file);
  const isNew = isMissing(file);
  const client = new Database(file, { create: true, readwrite: true, strict: true });
  // SQLite has no option for the mode of a new file. The -wal and -shm files get the mode of the file.
  if (isNew) chmodSync(file, 0o600);
  return client;
}

/** Whether a file is still to be made, its directory then made. Throws if it is there and no file we may write. */
function isMissing(file: string): boolean {
  if (!existsSync(file)) {
    makeDirectory(canonicalPath(file));
    return true;
  }
  const found = statSync(file);
  if (found.isDirectory()) {
    throw new AnalyticsError(
      "is_directory",
      file,
      `Expected a file, but ${file} is a directory. Name a file in it, such as ${join(file, "analytics.db")}.`,
    );
  }
  // To open a pipe would wait for its other end.
  if (!found.isFile()) {
    throw new AnalyticsError(
      "not_a_database",
      file,
      `Expected a file, but ${file} is a pipe, a socket or a device. Choose another path.`,
    );
  }
  assertWritable(file);
  return false;
}

/** SQLite's own error for a long path does not say that the path is too long. */
function assertShort(file: string): void {
  const length = Buffer.byteLength(canonicalPath(file));
  if (length <= MAX_PATH_BYTES) return;
  throw new AnalyticsError(
    "cannot_open",
    file,
    `Expected a path of at most ${MAX_PATH_BYTES} bytes, which is SQLite's limit, got one of ${length} bytes (${file.slice(0, 60)}…). Choose a shorter path.`,
  );
}

function makeDirectory(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new AnalyticsError(
      "cannot_open",
      file,
      `Expected to make the directory ${dirname(file)}, but the system refused. Make it, or choose another path.`,
      { cause: error },
    );
  }
}

/** SQLite itself reports a read-only file no sooner than at the first write. */
function assertWritable(file: string): void {
  try {
    accessSync(file, access.R_OK | access.W_OK);
  } catch (error) {
    throw new AnalyticsError(
      "read_only",
      file,
      `Expected to read and write ${file}, but its permissions forbid it. Change them, or choose another path.`,
      { cause: error },
    );
  }
}

/** Identifies, migrates and configures. Returns the journal mode that the file got. */
function prepare(client: Database, file: string): string {
  if (!client.transaction(() => isCurrent(client, file)).deferred()) {
    // Before the first table, or never: free pages can then be given back to the file system (`retention.ts`).
    client.run("pragma auto_vacuum = incremental");
    migrate(client, file);
  }
  // After identifying: another program's file keeps its journal mode.
  const journalMode = client.query("pragma journal_mode = wal").values()[0]?.[0];
  for (const pragma of PRAGMAS) client.run(`pragma ${pragma}`);
  // SQLite opens the log at the first read, by its name. Later, that name may belong to another file's log.
  client.query("pragma schema_version").values();
  return String(journalMode);
}
