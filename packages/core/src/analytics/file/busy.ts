import { isBusy } from "../errors.ts";

/**
 * Longest wait for other processes' locks before a recorder's write counts as failed, in milliseconds. Clients kill a
 * server after 2 s, so a write still running after the 1,500 ms of `shutdown()` must end within the remaining time.
 */
export const WRITE_WAIT_MS = 300;

/** Longest time that a command waits for a recorder's locks, in milliseconds. */
export const COMMAND_WAIT_MS = 10_000;

/**
 * Longest pause between two attempts, in milliseconds. All waiting for other processes' locks retries after a short
 * random pause, until a deadline in `performance.now()` time. SQLite's `busy_timeout` is 0 everywhere: it does not
 * cover the switch to WAL mode, and its growing pauses favour newcomers over those who have waited longest.
 */
const PAUSE_MS = 10;

const pauseMs = () => 1 + Math.random() * (PAUSE_MS - 1);

const isOver = (error: unknown, deadline: number) => !isBusy(error) || performance.now() > deadline;

/**
 * Retries a step while the database is locked, and blocks the thread between attempts; for opening and for process
 * exit.
 */
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

/** Retries a step while the database is locked, without blocking the event loop between attempts. */
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
