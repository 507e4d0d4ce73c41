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
import { untilStableSync } from "../file/stable.ts";
import { closeWithLog } from "../file/write-ahead-log.ts";

export interface AnalyticsDbOptions {
  /**
   * Longest wait for other processes that open or migrate the same file, in milliseconds. Opening is the only step that
   * blocks the calling thread. Minimum: 0. @default 5_000
   */
  readonly openTimeoutMs?: number;
  /** Receives messages about imported journals and moved files. @default warnings and errors on stderr */
  readonly logger?: Logger;
}

/** A Drizzle database with the analytics schema. The code that creates it must close it. */
export interface AnalyticsDb extends BunSQLiteDatabase<typeof schema>, Disposable {
  /** The absolute path of the file, or `":memory:"`. */
  readonly path: string;
  /** The actual journal mode: `"wal"`, `"memory"`, or another mode if the file system does not support WAL. */
  readonly journalMode: string;
  /** The records that were imported from journals of dead processes on opening. */
  readonly recovery: Recovery;
  /** The connection, for prepared statements and pragmas. */
  readonly $client: Database;
  /** Closes the connection and releases the file. Safe to call twice. */
  close(): void;
}

/** Longest wait for another process that holds the log's lock when a database is closed, in milliseconds. */
const CLOSE_WAIT_MS = 150;

const NOTHING_RECOVERED: Recovery = { records: 0, recorders: 0, damaged: [] };

/**
 * Opens the analytics database in WAL mode, creates or migrates it as needed, and imports the journals of killed
 * processes.
 *
 * Several processes may open a new file at the same time. A missing directory is created. Only the owner can access new
 * files (mode 0600) and directories (0700). A damaged database is moved aside as a whole, with a warning, and replaced
 * by a new one.
 * @param path The file, or `":memory:"`. Default: `TOOLMETER_DB`, otherwise `analytics.db` in the user's data
 * directory. While recording is disabled (`TOOLMETER_DISABLED`), a missing file is not created; the database is then in
 * memory.
 * @throws AnalyticsError whose message states what was expected, what was found and how to solve it.
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

/** Resolves a path to the absolute path of a file, or to `":memory:"`. */
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
    // A file that is not a database at all is left in place, because it may be anything.
    if (!isDamage(error, "corrupt") || !untilStableSync(file)) throw error;
    const aside = setDamagedAside(file);
    if (aside === undefined) throw error;
    warn(
      `Expected a sound database, but ${file} is damaged. It was moved to ${aside} with all its data; recording continues in a new file.`,
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

/**
 * Separates the log first, because closing the last connection applies it even to a file that was overwritten
 * meanwhile.
 */
function separateLog(path: string, warn: (message: string) => void): void {
  try {
    whileBusySync(performance.now() + CLOSE_WAIT_MS, () =>
      whileLogLocked(path, () => separateForeignLog(path, warn)),
    );
  } catch {
    // The process that holds the lock does it.
  }
}
