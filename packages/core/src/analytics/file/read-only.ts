import { Database, constants } from "bun:sqlite";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { AnalyticsError } from "../errors.ts";
import { isCurrent } from "./migrations.ts";

/**
 * Opens a file without write permission, unchanged, even on a read-only medium.
 * @throws AnalyticsError if its schema is not current, or an error of SQLite.
 */
export function openReadOnly(file: string): Database {
  try {
    return open(file, "");
  } catch (error) {
    // WAL mode needs the -shm file, which cannot be created here. Without a log, nothing writes to the file, so it
    // cannot change.
    if (error instanceof AnalyticsError || existsSync(`${file}-wal`)) throw error;
    return open(file, "&immutable=1");
  }
}

function open(file: string, parameters: string): Database {
  const { SQLITE_OPEN_READONLY, SQLITE_OPEN_URI } = constants;
  const client = new Database(
    `${pathToFileURL(file).href}?mode=ro${parameters}`,
    SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
  );
  try {
    if (isCurrent(client, file)) return client;
    throw new AnalyticsError(
      "read_only",
      file,
      `Expected the current schema, got an older one in ${file}, which cannot be migrated without write permission. Allow writing once, or use a copy.`,
    );
  } catch (error) {
    client.close(true);
    throw error;
  }
}
