import { COMMAND_WAIT_MS, whileBusySync } from "../file/busy.ts";
import type { AnalyticsDb } from "./database.ts";
import { toAnalyticsError } from "../errors.ts";
import { Retention, type RetentionPolicy } from "../housekeeping/retention.ts";

/**
 * Removes now what a retention policy does not keep, in slices between which others write, and gives the space back to
 * the file system.
 * @throws AnalyticsError; what was removed before stays removed.
 */
export function pruneAnalyticsDb(db: AnalyticsDb, policy: RetentionPolicy): void {
  const retention = new Retention(policy);
  const slice = () => retention.slice(db.$client, Date.now());
  try {
    while (whileBusySync(performance.now() + COMMAND_WAIT_MS, slice));
    // Retention leaves a few free pages for the next calls. They leave the file with the checkpoint.
    db.$client.run("pragma incremental_vacuum");
    db.$client.run("pragma wal_checkpoint(truncate)");
  } catch (error) {
    throw toAnalyticsError(error, db.path);
  }
}
