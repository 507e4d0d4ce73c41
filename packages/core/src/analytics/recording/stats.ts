import type { DropReason } from "../vocabulary.ts";
import type { Distribution } from "./meter.ts";

/**
 * Counters since the service started. Records are tool calls, tool definitions, and the starts and ends of sessions.
 */
export interface TelemetryStats {
  /** Accepted records: always `written` + `queued` + `leftInJournal` + those dropped after they were accepted. */
  readonly accepted: number;
  readonly written: number;
  readonly queued: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  /**
   * Records that could not be written before `shutdown()` timed out or the process ended, but are on disk in the
   * journal: the next process that opens the database imports them.
   */
  readonly leftInJournal: number;
  /** Records imported so far from the journals of dead processes. */
  readonly recovered: number;
  /** Failed writes of batches; each batch was or will be retried. */
  readonly failedFlushes: number;
  /** Writes that retried a failed batch. */
  readonly retries: number;
  readonly lastError: { readonly message: string; readonly at: number } | null;
  /** Tool calls that have started but not ended. */
  readonly inFlight: number;
  /** Time spent in `recordToolCall` and `end()`, which is the cost for the observed tool, in milliseconds. */
  readonly recordingMs: number;
  /** Time from passing a batch to the writer until its acknowledgement. */
  readonly flushMs: Distribution;
  /** Time of the transactions, if the writer reports it. */
  readonly commitMs: Distribution;
  /** Longest wait for another process's lock, in milliseconds. */
  readonly lockWaitMaxMs: number;
  /** Length of the WAL file after the last batch. */
  readonly walBytes: number;
  /** The largest number of records that ever waited. */
  readonly queuePeak: number;
  /** Bytes written to the journal. */
  readonly journalBytes: number;
  /** Records that could not be journalled at once, so that they were only in memory for some time. */
  readonly unjournaled: number;
}
