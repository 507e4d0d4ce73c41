import { createHistogram } from "node:perf_hooks";
import type { CommitCost } from "../writing/file-writer.ts";

/** Times in milliseconds; zero of none. */
export interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const NANOSECONDS = 1_000_000;

/** Times of one kind. */
class Times {
  readonly #histogram = createHistogram();

  add(milliseconds: number): void {
    // The histogram counts whole numbers from one.
    this.#histogram.record(Math.max(1, Math.round(milliseconds * NANOSECONDS)));
  }

  get distribution(): Distribution {
    const { count, max } = this.#histogram;
    if (count === 0) return { count: 0, p50: 0, p99: 0, max: 0 };
    // Its percentiles are rounded up, beyond the maximum even.
    const percentile = (share: number) => Math.min(this.#histogram.percentile(share), max);
    return {
      count,
      p50: percentile(50) / NANOSECONDS,
      p99: percentile(99) / NANOSECONDS,
      max: max / NANOSECONDS,
    };
  }
}

/** What recording costs the process it watches. */
export class Meter {
  readonly #flushes = new Times();
  readonly #commits = new Times();
  /** Time on the stacks of the callers, in nanoseconds. */
  recording = 0;
  #lockWaitMaxMs = 0;
  #walBytes = 0;

  /** A batch was stored: how long until it was acknowledged, and what it took to commit, if that is known. */
  wrote(durationMs: number, cost: CommitCost | undefined): void {
    this.#flushes.add(durationMs);
    if (!cost) return;
    this.#commits.add(cost.commitMs);
    this.#lockWaitMaxMs = Math.max(this.#lockWaitMaxMs, cost.lockWaitMs);
    this.#walBytes = cost.walBytes;
  }

  get readings() {
    return {
      recordingMs: this.recording / NANOSECONDS,
      flushMs: this.#flushes.distribution,
      commitMs: this.#commits.distribution,
      lockWaitMaxMs: this.#lockWaitMaxMs,
      walBytes: this.#walBytes,
    };
  }
}
