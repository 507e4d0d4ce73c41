import type { Rejection } from "./batcher.ts";
import type { TelemetryRecord } from "../records/record.ts";

/** Stores batches of records: the interface between the service and the database. */
export interface Writer {
  /**
   * Stores a whole batch in order and returns the records that can never be stored. Throws or rejects if it stored
   * nothing; the batch is then retried.
   */
  write(batch: readonly TelemetryRecord[]): readonly Rejection[] | Promise<readonly Rejection[]>;
}
