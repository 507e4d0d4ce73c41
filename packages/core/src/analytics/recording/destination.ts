import { MEMORY, assertUsable } from "../file/connection.ts";
import { type AnalyticsDb, createAnalyticsDb, resolvePath } from "../database/database.ts";

/** The destination of a service's records: an open database, or a file that the writer opens itself. */
export type Destination = Pick<AnalyticsDb, "path"> &
  Partial<Pick<AnalyticsDb, "$client" | "journalMode" | "recovery">>;

/**
 * Resolves a database or a path to a destination. The file need not exist yet. Never waits for a lock.
 * @throws AnalyticsError if the path names a directory, another program's file, or a file of a newer schema.
 */
export function destinationOf(
  database: AnalyticsDb | string | undefined,
  isEnabled: boolean,
): Destination {
  if (typeof database === "object") return database;
  const path = resolvePath(database);
  if (path === MEMORY) return createAnalyticsDb(MEMORY);
  if (isEnabled) assertUsable(path);
  return { path };
}
