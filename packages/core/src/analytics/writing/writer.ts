import type { Rejection } from "./batcher.ts";
import type { TelemetryRecord } from "../records/record.ts";

/** Where batches of records go: the seam between the service and the database. */
export interface Writer {
  /**
   * Stores a batch whole and in order, and returns the records that can never be stored. Throws or rejects if it stored
   * nothing; the batch is then tried again.
   */
  write(batch: readonly TelemetryRecord[]): readonly Rejection[] | Promise<readonly Rejection[]>;
}
