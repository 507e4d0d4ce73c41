import type { RecorderHealth } from "../records/record.ts";
import type { TelemetryStats } from "./stats.ts";

/** Shortest time between two rows, except for the last, in milliseconds. */
const INTERVAL_MS = 10_000;

const HOUR_MS = 3_600_000;

type Stats = Omit<TelemetryStats, "inFlight">;

/**
 * Converts the counters of a recorder to its hourly row in `recorder_health`: counts since the start of the hour,
 * distributions and peaks since the start of the recorder. A later row of the same hour replaces an earlier one.
 */
export class HourlyHealth {
  readonly #recorderId: string;
  /** The hour of the last written row. */
  #hour = 0;
  /** The counters at the last written row, and at the last one of an earlier hour. */
  #latest: Stats | undefined;
  #before: Stats | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(recorderId: string) {
    this.#recorderId = recorderId;
  }

  /** Whether a row is due at this time of the monotonic clock. */
  isDue(monotonicMs: number): boolean {
    return monotonicMs - this.#writtenAt >= INTERVAL_MS;
  }

  /** Returns the row at the wall-clock time `now`. */
  row(stats: Stats, now: number): RecorderHealth {
    const hour = this.#hourOf(now);
    const before = hour === this.#hour ? this.#before : this.#latest;
    return {
      recorderId: this.#recorderId,
      hourStartedAt: hour,
      processId: process.pid,
      accepted: stats.accepted - (before?.accepted ?? 0),
      written: stats.written - (before?.written ?? 0),
      droppedInvalid: stats.dropped.invalid - (before?.dropped.invalid ?? 0),
      droppedQueueFull: stats.dropped.queue_full - (before?.dropped.queue_full ?? 0),
      droppedUnwritable: stats.dropped.unwritable - (before?.dropped.unwritable ?? 0),
      droppedUnknownSession: stats.dropped.unknown_session - (before?.dropped.unknown_session ?? 0),
      droppedShutDown: stats.dropped.shut_down - (before?.dropped.shut_down ?? 0),
      failedFlushes: stats.failedFlushes - (before?.failedFlushes ?? 0),
      retries: stats.retries - (before?.retries ?? 0),
      unjournaled: stats.unjournaled - (before?.unjournaled ?? 0),
      recovered: stats.recovered - (before?.recovered ?? 0),
      recordingMs: stats.recordingMs - (before?.recordingMs ?? 0),
      queuePeak: stats.queuePeak,
      commitP50Ms: stats.commitMs.p50,
      commitP99Ms: stats.commitMs.p99,
      commitMaxMs: stats.commitMs.max,
      lockWaitMaxMs: stats.lockWaitMaxMs,
      walBytes: stats.walBytes,
      journalBytes: stats.journalBytes - (before?.journalBytes ?? 0),
      lastError: stats.lastError?.message ?? null,
      lastErrorAt: stats.lastError?.at ?? null,
    };
  }

  /** Notes that the row of these counters was written; the counts of the next hour start from them. */
  wrote(stats: Stats, now: number, monotonicMs: number): void {
    const hour = this.#hourOf(now);
    if (hour !== this.#hour) this.#before = this.#latest;
    this.#hour = hour;
    this.#latest = stats;
    this.#writtenAt = monotonicMs;
  }

  /** Never returns an earlier hour than before, so that a clock that is set back does not replace an older row. */
  #hourOf(now: number): number {
    return Math.max(this.#hour, Math.floor(now / HOUR_MS) * HOUR_MS);
  }
}
