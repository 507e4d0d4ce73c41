import { jest } from "bun:test";

/** Turns of the event loop, in which full batches are written. Fake timers leave them alone. */
export async function turn(times = 1): Promise<void> {
  for (let i = 0; i < times; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets fake time pass in small steps, with a turn of the event loop after each, as it passes for real. */
export async function elapse(milliseconds: number, step = 50): Promise<void> {
  for (let left = milliseconds; left > 0; left -= step) {
    jest.advanceTimersByTime(Math.min(step, left));
    await turn();
  }
}
