import type { Distribution } from "./meter.ts";

/** Why a record is not in the database and never will be. */
export const DROP_REASONS = [
  /** Its metadata did not pass validation. */
  "invalid",
  /** The queue was full. */
  "queue_full",
  /** The database refused it for what it holds. */
  "unwritable",
  /** It ended a session that nobody started. */
  "unknown_session",
  /** It came after `shutdown()`. */
  "shut_down",
  /** `shutdown()` ran out of time before it was written, and there was no journal to leave it in. */
  "shutdown_timeout",
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** Counts since the service began. Records are tool calls and the starts and ends of sessions. */
export interface TelemetryStats {
  /** Records taken in. Always `written` + `queued` + `leftInJournal` + those dropped later. */
  readonly accepted: number;
  readonly written: number;
  readonly queued: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Records that `shutdown()` could not write in time: whoever opens the database next takes them in. */
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
  /** Records that could not be journalled: while they waited, they were in memory alone. */
  readonly unjournaled: number;
}
