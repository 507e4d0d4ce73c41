import { Database, constants } from "bun:sqlite";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { AnalyticsError } from "../errors.ts";
import { isCurrent } from "./migrations.ts";

/**
 * Opens a file that may not be written, as it is, also on a read-only medium.
 * @throws AnalyticsError if its schema is not the current one, or SQLite's own error.
 */
export function openReadOnly(file: string): Database {
  try {
    return open(file, "");
  } catch (error) {
    // A file in WAL mode needs its -shm file; without one nobody writes, so that nothing changes under us.
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
      `Expected a current schema, but an older Toolmeter wrote ${file}, and it may not be written. Allow writing once, or copy it.`,
    );
  } catch (error) {
    client.close(true);
    throw error;
  }
}
