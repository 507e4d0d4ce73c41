import { type AnalyticsDb, createAnalyticsDb } from "@toolmeter/core";
import { CommandError } from "../failures/command-error.ts";

/**
 * Opens the database in which a command stores calls.
 * @throws CommandError if the calls would be lost, because recording is disabled and the file does not exist.
 */
export function openTarget(path: string | undefined, openTimeoutMs?: number): AnalyticsDb {
  const db = createAnalyticsDb(path, openTimeoutMs === undefined ? {} : { openTimeoutMs });
  if (db.path !== ":memory:") return db;
  db.close();
  throw new CommandError(
    "Expected a database file to store calls in, got a database in memory. Name a file with --db; if TOOLMETER_DISABLED is set, unset it or name an existing file.",
  );
}
