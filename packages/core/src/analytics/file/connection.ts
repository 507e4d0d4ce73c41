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

/** SQLite allows 512 bytes on Unix, including the suffix `-journal`. */
const MAX_PATH_BYTES = 504;

/** A connection to an identified, migrated and configured database. The code that opens it must close it. */
export interface Connection {
  readonly client: Database;
  /** The actual journal mode: `"wal"`, `"memory"`, or another mode if the file system does not support WAL. */
  readonly journalMode: string;
}

/** Set on each connection, in this order. For `busy_timeout`, see `busy.ts`. */
const PRAGMAS = [
  // No fsync per commit. A process crash loses nothing; a power cut may lose the last commits.
  "synchronous = normal",
  // Truncates the WAL file to 4 MiB after a long-running reader made it grow.
  "journal_size_limit = 4194304",
  // Every call that names a session needs that session's row; SQLite does not enforce this by default.
  "foreign_keys = on",
  // Code planted in the file's schema must not run with our privileges
  // (https://sqlite.org/pragma.html#pragma_trusted_schema).
  "trusted_schema = off",
  "busy_timeout = 0",
] as const;

/**
 * Opens a file, or a database in memory, and prepares it: directory, permissions, schema, pragmas.
 *
 * Blocks the calling thread for at most `timeoutMs` while other processes open or migrate the file.
 * @param warn Called if the write-ahead log beside the file belonged to another file.
 * @throws AnalyticsError, or an error of SQLite.
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
 * Opens a file as `openConnection` does, without waiting. Call it only while holding the log's lock, so that one
 * process at a time creates a file and its log, or removes a log that does not belong to a file.
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

/** Failures that retrying does not resolve. */
const LASTING: ReadonlySet<AnalyticsErrorCode> = new Set([
  "is_directory",
  "not_a_database",
  "foreign_database",
  "newer_schema",
]);

/**
 * Throws an AnalyticsError if the path names a directory, another program's file, or a file with a newer schema. Never
 * waits. Ignores every other obstacle: it may be temporary (a lock, a directory that is not mounted yet, missing
 * permissions), or the writer handles it (damage).
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
 * Opens a file read-only: a writable connection would checkpoint the log of a killed process when it closes. Without a
 * log, no process has the file open, so it is read as immutable: without locks, and without creating files beside it.
 */
function openToIdentify(file: string): Database {
  const { SQLITE_OPEN_READONLY, SQLITE_OPEN_URI } = constants;
  const hasLog = existsSync(`${file}-wal`) || existsSync(`${file}-journal`);
  return new Database(
    `${pathToFileURL(file).href}?mode=ro${hasLog ? "" : "&immutable=1"}`,
    SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
  );
}

/** SQLite opens the log at the first read; until then, another file may take the database's name. */
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
  // SQLite has no option for the mode of a new file. The -wal and -shm files inherit the mode of the database.
  if (isNew) chmodSync(file, 0o600);
  return client;
}

/**
 * Whether a file does not exist yet; its directory is then created. Throws if the path exists but is not a writable
 * file.
 */
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
      `Expected a file, got the directory ${file}. Name a file in it, such as ${join(file, "analytics.db")}.`,
    );
  }
  // Opening a pipe would wait for its other end.
  if (!found.isFile()) {
    throw new AnalyticsError(
      "not_a_database",
      file,
      `Expected a regular file, got a pipe, socket or device at ${file}. Choose another path.`,
    );
  }
  assertWritable(file);
  return false;
}

/** SQLite's error for a path that is too long does not mention the length. */
function assertShort(file: string): void {
  const length = Buffer.byteLength(canonicalPath(file));
  if (length <= MAX_PATH_BYTES) return;
  throw new AnalyticsError(
    "cannot_open",
    file,
    `Expected a path of at most ${MAX_PATH_BYTES} bytes (SQLite's limit), got ${length} bytes (${file.slice(0, 60)}…). Choose a shorter path.`,
  );
}

function makeDirectory(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new AnalyticsError(
      "cannot_open",
      file,
      `Expected to create the directory ${dirname(file)}, but the system refused. Create it, or choose another path.`,
      { cause: error },
    );
  }
}

/** SQLite reports a read-only file only at the first write. */
function assertWritable(file: string): void {
  try {
    accessSync(file, access.R_OK | access.W_OK);
  } catch (error) {
    throw new AnalyticsError(
      "read_only",
      file,
      `Expected read and write permission for ${file}. Change its permissions, or choose another path.`,
      { cause: error },
    );
  }
}

/** Identifies, migrates and configures the database. Returns its actual journal mode. */
function prepare(client: Database, file: string): string {
  if (!client.transaction(() => isCurrent(client, file)).deferred()) {
    // Takes effect only before the first table. Lets `retention.ts` return free pages to the file system.
    client.run("pragma auto_vacuum = incremental");
    migrate(client, file);
  }
  // Only after identification: the journal mode of another program's file must not change.
  const journalMode = client.query("pragma journal_mode = wal").values()[0]?.[0];
  for (const pragma of PRAGMAS) client.run(`pragma ${pragma}`);
  // SQLite opens the log by name at the first read. Read now, before that name can belong to another file's log.
  client.query("pragma schema_version").values();
  return String(journalMode);
}
