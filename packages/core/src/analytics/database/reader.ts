import type { Database } from "bun:sqlite";
import { accessSync, constants as access, existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { openConnection } from "../file/connection.ts";
import { databasePath } from "../environment.ts";
import { AnalyticsError, toAnalyticsError } from "../errors.ts";
import { journalDirectory, lockName } from "../file/journal-directory.ts";
import { FileLock } from "../file/lock.ts";
import { openReadOnly } from "../file/read-only.ts";
import { listRecorders, listSegments, recoveryLock } from "../journal/segments.ts";

/** An analytics database that is open for queries. The code that opens it must close it. */
export interface AnalyticsReader extends Disposable {
  /** The absolute path of the file. */
  readonly path: string;
  readonly $client: Database;
  close(): void;
}

export interface AnalyticsReaderOptions {
  /** Longest wait for other processes that open or migrate the file, in milliseconds. @default 5_000 */
  readonly openTimeoutMs?: number;
  /**
   * Whether SQLite opens the file read-only, so that even untrusted statements cannot change it; the -wal and -shm
   * files then stay behind on closing. @default false: `query_only` protects against accidental writes
   */
  readonly readOnly?: boolean;
}

/**
 * Opens an existing analytics database for queries only.
 *
 * If the file is writable, it first imports the journals of dead processes and migrates an older schema. Otherwise the
 * file is read unchanged, even from a read-only medium.
 * @param path Default: `TOOLMETER_DB`, otherwise `analytics.db` in the user's data directory.
 * @throws AnalyticsError `not_found` if the file does not exist; otherwise like `createAnalyticsDb`.
 */
export async function openAnalyticsReader(
  path?: string,
  { openTimeoutMs = 5_000, readOnly = false }: AnalyticsReaderOptions = {},
): Promise<AnalyticsReader> {
  const file = resolve(databasePath(path));
  // A recorder that was killed before its first write leaves only a journal.
  if (!existsSync(file) && listSegments(file).length === 0) {
    throw new AnalyticsError(
      "not_found",
      file,
      `Expected an analytics database at ${file}, but the file does not exist. Record a call first, or name another file.`,
    );
  }
  try {
    const client =
      isWritable(file) || !existsSync(file)
        ? await openLive(file, openTimeoutMs, readOnly)
        : openReadOnly(file);
    const close = () => client.close(true);
    return { path: file, $client: client, close, [Symbol.dispose]: close };
  } catch (error) {
    throw toAnalyticsError(error, file);
  }
}

/** Whether the file and its directory are writable. SQLite creates files beside the database even for reading. */
function isWritable(file: string): boolean {
  try {
    accessSync(file, access.W_OK);
    accessSync(join(file, ".."), access.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function openLive(file: string, timeoutMs: number, readOnly: boolean): Promise<Database> {
  if (!existsSync(file) || needsRecovery(file)) {
    // Imported on demand: this case is rare, and the module loads all writing code.
    const { createAnalyticsDb } = await import("./database.ts");
    createAnalyticsDb(file, { openTimeoutMs: timeoutMs }).close();
  }
  const { client } = openConnection(file, timeoutMs);
  if (readOnly) {
    client.close(true);
    return openReadOnly(file);
  }
  client.run("pragma query_only = on");
  return client;
}

/** Whether a journal of a dead process exists, or another process is importing one, for which opening then waits. */
function needsRecovery(file: string): boolean {
  if (existsSync(recoveryLock(file))) return true;
  return listRecorders(file).some((id) => !isAlive(file, id));
}

/** Lists the recorders of a database whose processes are alive. */
export function livingRecorders(file: string): readonly string[] {
  return listRecorders(file).filter((id) => isAlive(file, id));
}

/** Whether the process of a recorder is alive; it holds the lock of its journal until it ends. */
export function isAlive(file: string, recorderId: string): boolean {
  try {
    return FileLock.isHeld(join(journalDirectory(file), lockName(recorderId)));
  } catch {
    // Without locks there is no recovery, so treat the recorder as alive.
    return true;
  }
}
