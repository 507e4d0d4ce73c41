import { type AnalyticsDb, createAnalyticsDb } from "@toolmeter/core";
import { CommandError } from "../failures/command-error.ts";

/**
 * Opens the database that a command stores calls in.
 * @throws CommandError if nothing would be kept: recording is switched off and there is no file yet.
 */
export function openTarget(path: string | undefined, openTimeoutMs?: number): AnalyticsDb {
  const db = createAnalyticsDb(path, openTimeoutMs === undefined ? {} : { openTimeoutMs });
  if (db.path !== ":memory:") return db;
  db.close();
  throw new CommandError(
    "Expected a database file to store calls in, but they would only be in memory. Name a file with --db; if TOOLMETER_DISABLED is set, unset it or name a file that exists.",
  );
}
