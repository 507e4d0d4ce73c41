import { isBusy } from "../errors.ts";

/**
 * Longest wait for other processes' locks before a recorder's write counts as failed, in milliseconds. A write that
 * `shutdown()` leaves behind must end before a client's 2 s are over: 1,500 ms and this.
 */
export const WRITE_WAIT_MS = 300;

/** Longest wait of a command for a recorder's locks, in milliseconds. */
export const COMMAND_WAIT_MS = 10_000;

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
