import { Database } from "bun:sqlite";
import { accessSync, chmodSync, constants, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type BunSQLiteDatabase, drizzle } from "drizzle-orm/bun-sqlite";
import { databasePath, isDisabled } from "./environment.ts";
import { AnalyticsError, isBusy, toAnalyticsError } from "./errors.ts";
import { isCurrent, migrate } from "./migrations.ts";
import * as schema from "./schema.ts";

export interface AnalyticsDbOptions {
  /**
   * Longest wait for other processes that open or migrate the same file, in milliseconds. Opening is
   * the only step that waits in the calling thread. Minimum: 0. @default 5_000
   */
  readonly openTimeoutMs?: number;
}

/** Drizzle over the analytics schema, and the file under it. Its creator closes it. */
export interface AnalyticsDb extends BunSQLiteDatabase<typeof schema>, Disposable {
  /** The absolute path of the file, or `":memory:"`. */
  readonly path: string;
  /** The journal mode the file really has: `"wal"`, `"memory"`, or what the file system allowed. */
  readonly journalMode: string;
  /** The connection, for prepared statements and pragmas. */
  readonly $client: Database;
  /** Closes the connection and releases the file. Safe to call twice. */
  close(): void;
}

const MEMORY = ":memory:";

/** Set on each connection, in this order. `busy_timeout` is 0: waiting there would stop the event loop. */
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
 * Opens the analytics database, creating and migrating it as needed, in WAL mode.
 *
 * Several processes may open one new file at once. The directory is made if it is missing. A file made
 * here is readable by its owner only (0600; a directory, 0700).
 * @param path The file, or `":memory:"`. Default: `TOOLMETER_DB`, else `analytics.db` in the user's data
 * directory. While recording is switched off (`TOOLMETER_DISABLED`), a file that does not exist is not
 * made: the database is then in memory.
 * @throws AnalyticsError that says what was expected, what was found and the way out.
 */
export function createAnalyticsDb(path?: string, options: AnalyticsDbOptions = {}): AnalyticsDb {
  const file = resolvePath(path ?? databasePath());
  let client: Database | undefined;
  try {
    client = openFile(file);
    const journalMode = prepare(client, file, options.openTimeoutMs ?? 5_000);
    return toAnalyticsDb(client, file, journalMode);
  } catch (error) {
    client?.close();
    throw toAnalyticsError(error, file);
  }
}

function resolvePath(path: string): string {
  if (path === MEMORY) return MEMORY;
  const file = resolve(path);
  return isDisabled() && !existsSync(file) ? MEMORY : file;
}

function openFile(file: string): Database {
  if (file === MEMORY) return new Database(MEMORY, { strict: true });
  const isNew = !existsSync(file);
  if (isNew) makeDirectory(file);
  else if (statSync(file).isDirectory()) {
    throw new AnalyticsError(
      "is_directory",
      file,
      `Expected a file, but ${file} is a directory. Name a file in it, such as ${join(file, "analytics.db")}.`,
    );
  } else assertWritable(file);
  const client = new Database(file, { create: true, readwrite: true, strict: true });
  // SQLite has no option for the mode of a new file. The -wal and -shm files get the mode of the file.
  if (isNew) chmodSync(file, 0o600);
  return client;
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
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new AnalyticsError(
      "read_only",
      file,
      `Expected to read and write ${file}, but its permissions forbid it. Change them, or choose another path.`,
      { cause: error },
    );
  }
}

/** Identifies, migrates and configures an open connection. Returns the journal mode it got. */
function prepare(client: Database, file: string, openTimeoutMs: number): string {
  const retry = whileBusy(performance.now() + openTimeoutMs);
  const current = retry(() => client.transaction(() => isCurrent(client, file)).deferred());
  if (!current) retry(() => migrate(client, file));
  // After identifying: another program's file keeps its journal mode.
  const journalMode = retry(() => client.query("pragma journal_mode = wal").values()[0]?.[0]);
  for (const pragma of PRAGMAS) client.run(`pragma ${pragma}`);
  return String(journalMode);
}

/**
 * Runs a step again while other processes hold the lock, until the deadline. SQLite's own `busy_timeout`
 * does not cover the change to WAL, and makes those who waited longest wait longer.
 */
function whileBusy(deadline: number) {
  return <T>(step: () => T): T => {
    for (;;) {
      try {
        return step();
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) throw error;
        Bun.sleepSync(1 + Math.random() * 9);
      }
    }
  };
}

function toAnalyticsDb(client: Database, path: string, journalMode: string): AnalyticsDb {
  const close = () => client.close(true);
  return Object.assign(drizzle({ client, schema }), {
    path,
    journalMode,
    close,
    [Symbol.dispose]: close,
  });
}
