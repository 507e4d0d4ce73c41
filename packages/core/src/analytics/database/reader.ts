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

/** An analytics database that is open for questions. Its opener closes it. */
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
   * Whether even statements of others cannot change the file: SQLite itself opens it for reading alone, and leaves its
   * -wal and -shm behind. @default false: only ours are asked
   */
  readonly readOnly?: boolean;
}

/**
 * Opens an analytics database that exists, for questions only.
 *
 * What dead processes left in their journals is taken in first, and an older schema is migrated, where the file may be
 * written. A file that may only be read is read as it is, also from a read-only medium.
 * @param path Default: `TOOLMETER_DB`, else `analytics.db` in the user's data directory.
 * @throws AnalyticsError `not_found` if there is no file, else as `createAnalyticsDb`.
 */
export async function openAnalyticsReader(
  path?: string,
  { openTimeoutMs = 5_000, readOnly = false }: AnalyticsReaderOptions = {},
): Promise<AnalyticsReader> {
  const file = resolve(databasePath(path));
  // Of a recorder that was killed before it wrote its first batch, there is a journal only.
  if (!existsSync(file) && listSegments(file).length === 0) {
    throw new AnalyticsError(
      "not_found",
      file,
      `Expected an analytics database, but there is no file ${file}. Record something first, or name another file.`,
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

/** SQLite writes beside the file too, even to read it. */
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
    // Rare, and it loads all that writes.
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

/** Whether a process died, or another process is taking in what it left: then that is waited for. */
function needsRecovery(file: string): boolean {
  if (existsSync(recoveryLock(file))) return true;
  return listRecorders(file).some((id) => !isAlive(file, id));
}

/** The recorders of a database whose processes live. */
export function livingRecorders(file: string): readonly string[] {
  return listRecorders(file).filter((id) => isAlive(file, id));
}

/** Whether the process of a recorder lives: it holds the lock of its journal as long. */
export function isAlive(file: string, recorderId: string): boolean {
  try {
    return FileLock.isHeld(join(journalDirectory(file), lockName(recorderId)));
  } catch {
    // Nothing can be taken in where nothing can be locked.
    return true;
  }
}
