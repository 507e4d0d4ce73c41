import type { DropReason } from "../vocabulary.ts";
import type { Distribution } from "./meter.ts";

/** Counts since the service began. Records are tool calls and the starts and ends of sessions. */
export interface TelemetryStats {
  /** Records taken in: always `written` + `queued` + `leftInJournal` + those dropped after they were taken in. */
  readonly accepted: number;
  readonly written: number;
  readonly queued: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  /**
   * Records that could not be written before `shutdown()` ran out of time or the process ended, and that are on disk
   * in the journal: the next process that opens the database takes them in.
   */
  readonly leftInJournal: number;
  /** Records that dead processes had left, taken in so far. */
  readonly recovered: number;
  /** Batches whose write failed; each was or will be tried again. */
  readonly failedFlushes: number;
  /** Writes that were a further try of a failed batch. */
  readonly retries: number;
  readonly lastError: { readonly message: string; readonly at: number } | null;
  /** Tool calls that were started and have not ended. */
  readonly inFlight: number;
  /** Time spent in `recordToolCall` and `end()`: what the watched tool paid, in milliseconds. */
  readonly recordingMs: number;
  /** From handing a batch over to its acknowledgement. */
  readonly flushMs: Distribution;
  /** In the transaction, where the writer tells. */
  readonly commitMs: Distribution;
  /** Longest wait for another process's lock, in milliseconds. */
  readonly lockWaitMaxMs: number;
  /** Length of the WAL after the last batch. */
  readonly walBytes: number;
  /** The most records that ever waited. */
  readonly queuePeak: number;
  /** Bytes journalled. */
  readonly journalBytes: number;
  /** Records that could not be journalled at once: for a time, they were in memory only. */
  readonly unjournaled: number;
}
