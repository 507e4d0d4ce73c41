const BASE_MS = 100;
const CAP_MS = 30_000;

/**
 * Returns the pause before the next attempt, in milliseconds. It doubles with each failure, from 100 ms up to `maxMs`;
 * half of it is random, so that processes do not retry in lockstep.
 */
export function backoffMs(failures: number, maxMs = CAP_MS): number {
  const pauseMs = Math.min(maxMs, BASE_MS * 2 ** (failures - 1));
  return pauseMs * (0.5 + Math.random() / 2);
}
