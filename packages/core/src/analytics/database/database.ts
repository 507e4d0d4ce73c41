import type { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type BunSQLiteDatabase, drizzle } from "drizzle-orm/bun-sqlite";
import { whileBusySync } from "../file/busy.ts";
import { type Connection, MEMORY, openConnection } from "../file/connection.ts";
import { databasePath, isDisabled } from "../environment.ts";
import { isDamage, toAnalyticsError } from "../errors.ts";
import { whileLogLocked } from "../file/log-lock.ts";
import { separateForeignLog } from "../file/log-owner.ts";
import { type Logger, containLogger, stderrLogger } from "../logger.ts";
import { type Recovery, recover } from "../writing/recovery.ts";
import { setDamagedAside } from "../file/repair.ts";
import * as schema from "../schema.ts";
import { settleSync } from "../file/settle.ts";
import { closeWithLog } from "../file/write-ahead-log.ts";

export interface AnalyticsDbOptions {
  /**
   * Longest wait for other processes that open or migrate the same file, in milliseconds. Opening is
   * the only step that waits in the calling thread. Minimum: 0. @default 5_000
   */
  readonly openTimeoutMs?: number;
  /** Told of journals taken in and of files moved aside. @default warnings and errors on stderr */
  readonly logger?: Logger;
}

/** Drizzle over the analytics schema, and the file under it. Its creator closes it. */
export interface AnalyticsDb extends BunSQLiteDatabase<typeof schema>, Disposable {
  /** The absolute path of the file, or `":memory:"`. */
  readonly path: string;
  /** The journal mode the file really has: `"wal"`, `"memory"`, or what the file system allowed. */
  readonly journalMode: string;
  /** What opening took in from the journals of dead processes. */
  readonly recovery: Recovery;
  /** The connection, for prepared statements and pragmas. */
  readonly $client: Database;
  /** Closes the connection and releases the file. Safe to call twice. */
  close(): void;
}

/** Longest wait for another process that looks after the log when a database is closed, in milliseconds. */
const CLOSE_WAIT_MS = 150;

const NOTHING_RECOVERED: Recovery = { records: 0, recorders: 0, damaged: [] };

/**
 * Opens the analytics database, creating and migrating it as needed, in WAL mode, and takes in what
 * processes that were killed left in their journals.
 *
 * Several processes may open one new file at once. The directory is made if it is missing. A file made
 * here is readable by its owner only (0600; a directory, 0700). A damaged database is moved aside whole,
 * with a warning, and a new one begun.
 * @param path The file, or `":memory:"`. Default: `TOOLMETER_DB`, else `analytics.db` in the user's data
 * directory. While recording is switched off (`TOOLMETER_DISABLED`), a file that does not exist is not
 * made: the database is then in memory.
 * @throws AnalyticsError that says what was expected, what was found and the way out.
 */
export function createAnalyticsDb(path?: string, options: AnalyticsDbOptions = {}): AnalyticsDb {
  const file = resolvePath(path);
  const logger = containLogger(options.logger ?? stderrLogger);
  const timeoutMs = options.openTimeoutMs ?? 5_000;
  try {
    const connection = openSound(file, timeoutMs, logger);
    const recovery =
      file === MEMORY ? NOTHING_RECOVERED : recover(file, connection, logger, timeoutMs);
    return toAnalyticsDb(connection, file, recovery, (message) => void logger.warn(message));
  } catch (error) {
    throw toAnalyticsError(error, file);
  }
}

/** The absolute path of the file that a path names, or `":memory:"`. */
export function resolvePath(path?: string): string {
  if (path === MEMORY) return MEMORY;
  const file = resolve(databasePath(path));
  return isDisabled() && !existsSync(file) ? MEMORY : file;
}

function openSound(file: string, timeoutMs: number, logger: Logger): Connection {
  const warn = (message: string) => void logger.warn(message);
  try {
    return openConnection(file, timeoutMs, warn);
  } catch (error) {
    // A file that is no database at all may be anything: it is left where it is.
    if (!isDamage(error, "corrupt") || !settleSync(file)) throw error;
    const aside = setDamagedAside(file);
    if (aside === undefined) throw error;
    warn(
      `Expected a sound database, but ${file} is damaged. It is now ${aside}, with all its data; a new one is begun.`,
    );
    return openConnection(file, timeoutMs, warn);
  }
}

function toAnalyticsDb(
  { client, journalMode }: Connection,
  path: string,
  recovery: Recovery,
  warn: (message: string) => void,
): AnalyticsDb {
  const close = () => {
    if (path !== MEMORY) separateLog(path, warn);
    closeWithLog(client);
  };
  return Object.assign(drizzle({ client, schema }), {
    path,
    journalMode,
    recovery,
    close,
    [Symbol.dispose]: close,
  });
}

/** SQLite applies the log when the last connection closes, also to a file that was overwritten meanwhile. */
function separateLog(path: string, warn: (message: string) => void): void {
  try {
    whileBusySync(performance.now() + CLOSE_WAIT_MS, () =>
      whileLogLocked(path, () => separateForeignLog(path, warn)),
    );
  } catch {
    // The process that is in the way takes care of it.
  }
}
