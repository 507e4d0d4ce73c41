import { createHistogram } from "node:perf_hooks";
import type { CommitCost } from "../writing/file-writer.ts";

/** A distribution of times in milliseconds; all zero without samples. */
export interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const NANOSECONDS_PER_MS = 1_000_000;

/** A histogram of times. */
class Times {
  readonly #histogram = createHistogram();

  add(milliseconds: number): void {
    // The histogram accepts only integers of at least 1.
    this.#histogram.record(Math.max(1, Math.round(milliseconds * NANOSECONDS_PER_MS)));
  }

  get distribution(): Distribution {
    const { count, max } = this.#histogram;
    if (count === 0) return { count: 0, p50: 0, p99: 0, max: 0 };
    // The histogram rounds percentiles up, even beyond the maximum.
    const percentile = (share: number) => Math.min(this.#histogram.percentile(share), max);
    return {
      count,
      p50: percentile(50) / NANOSECONDS_PER_MS,
      p99: percentile(99) / NANOSECONDS_PER_MS,
      max: max / NANOSECONDS_PER_MS,
    };
  }
}

/** Measures the cost of recording for the observed process. */
export class Meter {
  readonly #flushes = new Times();
  readonly #commits = new Times();
  /** Time spent on the callers' stacks, in nanoseconds. */
  recording = 0;
  #lockWaitMaxMs = 0;
  #walBytes = 0;

  /** Counts a stored batch: the time until it was acknowledged and, if known, the cost of its commit. */
  wrote(durationMs: number, cost: CommitCost | undefined): void {
    this.#flushes.add(durationMs);
    if (!cost) return;
    this.#commits.add(cost.commitMs);
    this.#lockWaitMaxMs = Math.max(this.#lockWaitMaxMs, cost.lockWaitMs);
    this.#walBytes = cost.walBytes;
  }

  get readings() {
    return {
      recordingMs: this.recording / NANOSECONDS_PER_MS,
      flushMs: this.#flushes.distribution,
      commitMs: this.#commits.distribution,
      lockWaitMaxMs: this.#lockWaitMaxMs,
      walBytes: this.#walBytes,
    };
  }
}
