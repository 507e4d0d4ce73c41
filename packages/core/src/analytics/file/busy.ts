import { isBusy } from "../errors.ts";

/**
 * The one way to wait for other processes' locks: try again after a short random pause, until a moment of
 * `performance.now()`. SQLite's own `busy_timeout` does not cover the change to WAL, and makes those who
 * waited longest wait longer; it is 0 everywhere.
 */
const PAUSE_MS = 10;

const pauseMs = () => 1 + Math.random() * (PAUSE_MS - 1);

const isOver = (error: unknown, deadline: number) => !isBusy(error) || performance.now() > deadline;

/** Runs a step until it does not meet a lock, the thread asleep in between: for opening and for the end. */
export function whileBusySync<T>(deadline: number, step: () => T): T {
  for (;;) {
    try {
      return step();
    } catch (error) {
      if (isOver(error, deadline)) throw error;
    }
    Bun.sleepSync(pauseMs());
  }
}

/** The same, the event loop free in between. */
export async function whileBusy<T>(deadline: number, step: () => T): Promise<T> {
  for (;;) {
    try {
      return step();
    } catch (error) {
      if (isOver(error, deadline)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs()));
  }
}
