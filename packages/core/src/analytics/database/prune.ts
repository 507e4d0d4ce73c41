import { COMMAND_WAIT_MS, whileBusySync } from "../file/busy.ts";
import type { AnalyticsDb } from "./database.ts";
import { toAnalyticsError } from "../errors.ts";
import { Retention, type RetentionPolicy } from "../housekeeping/retention.ts";

/**
 * Applies a retention policy now, in slices between which other processes can write, and returns the free space to the
 * file system.
 * @throws AnalyticsError; rows that were removed before the error stay removed.
 */
export function pruneAnalyticsDb(db: AnalyticsDb, policy: RetentionPolicy): void {
  const retention = new Retention(policy);
  const slice = () => retention.slice(db.$client, Date.now());
  try {
    while (whileBusySync(performance.now() + COMMAND_WAIT_MS, slice));
    // Retention leaves a few free pages for new calls. Free them now; the checkpoint then truncates the file.
    db.$client.run("pragma incremental_vacuum");
    db.$client.run("pragma wal_checkpoint(truncate)");
  } catch (error) {
    throw toAnalyticsError(error, db.path);
  }
}
