import { statSync } from "node:fs";
import { TokenBucket } from "./token-bucket.ts";

/** Checks per millisecond: the `stat` call of one check takes as long as writing one line. */
const CHECKS_PER_MS = 1;
const CHECKS_AT_ONCE = 64;

/** Within this time, in milliseconds, a directory can change twice with the same time stamp. */
const TIME_STAMP_MS = 50;

/** Detects by a directory's change time that files in it were created, renamed or removed. */
export class DirectoryWatch {
  readonly #directory: string;
  readonly #checks = new TokenBucket(CHECKS_PER_MS, CHECKS_AT_ONCE);
  /** The change time of the last successful check, if it is old enough to be conclusive. */
  #unchangedSince: number | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether a check is due: under load, at most one per millisecond. */
  isDue(): boolean {
    return this.#checks.take();
  }

  /**
   * Calls `isAsExpected` if the directory is missing or has changed since it last returned true. Returns whether
   * everything is as expected.
   */
  check(isAsExpected: () => boolean): boolean {
    const changedAt = changeTime(this.#directory);
    if (changedAt !== undefined && changedAt === this.#unchangedSince) return true;
    const isUnchanged = isAsExpected();
    const isOld = changedAt !== undefined && Date.now() - changedAt > TIME_STAMP_MS;
    this.#unchangedSince = isUnchanged && isOld ? changedAt : undefined;
    return isUnchanged;
  }
}

/** The time of the last creation, renaming or removal in a directory; `undefined` if it does not exist. */
function changeTime(directory: string): number | undefined {
  try {
    return statSync(directory, { throwIfNoEntry: false })?.ctimeMs;
  } catch {
    return undefined;
  }
}
