import { MEMORY, assertUsable } from "../file/connection.ts";
import { type AnalyticsDb, createAnalyticsDb, resolvePath } from "../database/database.ts";

/** Where a service's records go: a database that is open, or a file that the service's writer opens itself. */
export type Destination = Pick<AnalyticsDb, "path"> &
  Partial<Pick<AnalyticsDb, "$client" | "journalMode" | "recovery">>;

/**
 * The destination that a database or a path names. Needs no file yet, and never waits for a lock.
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
