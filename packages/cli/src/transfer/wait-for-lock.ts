import { AnalyticsError } from "@toolmeter/core";

/** Longest time that a single attempt may wait for a lock, in milliseconds; it blocks the thread. */
export const LOCK_TIMEOUT_MS = 500;

/** Longest time that a command waits for other processes' locks, in milliseconds. */
const PATIENCE_MS = 60_000;

/** Pause between two attempts, and between two messages, in milliseconds. */
const PAUSE_MS = 50;
const MESSAGE_MS = 10_000;

/**
 * Retries a step while another process holds the database's lock, for at most a minute, and reports that it is waiting.
 * @throws The last error of the step.
 */
export async function whileLocked<Result>(
  step: () => Result | Promise<Result>,
  notify: (text: string) => void,
  patienceMs = PATIENCE_MS,
): Promise<Result> {
  const startedAt = performance.now();
  let notifiedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    try {
      return await step();
    } catch (error) {
      const now = performance.now();
      if (!isLocked(error) || now - startedAt > patienceMs) throw error;
      if (now - notifiedAt >= MESSAGE_MS) {
        notifiedAt = now;
        const left = Math.ceil((patienceMs - (now - startedAt)) / 1_000);
        notify(`Waiting for another process to release ${error.path}, for up to ${left} s more.`);
      }
    }
    await Bun.sleep(PAUSE_MS);
  }
}

function isLocked(error: unknown): error is AnalyticsError {
  return error instanceof AnalyticsError && error.code === "locked";
}
