import { statSync } from "node:fs";
import { TokenBucket } from "./token-bucket.ts";

/** Looks per millisecond: the `stat` of one look takes as long as the write of one line. */
const LOOKS_PER_MS = 1;
const LOOKS_AT_ONCE = 64;

/** A directory that changed this short a time ago can change again without a new time stamp, in milliseconds. */
const TIME_STAMP_MS = 50;

/** Notices that files in a directory were made, renamed or removed, by the directory's change time. */
export class DirectoryWatch {
  readonly #directory: string;
  readonly #looks = new TokenBucket(LOOKS_PER_MS, LOOKS_AT_ONCE);
  /** The change time at which all was as expected, if it is old enough to tell. */
  #unchangedSince: number | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether a look is due: under load, at most one per millisecond. */
  isDue(): boolean {
    return this.#looks.take();
  }

  /**
   * Calls `isAsExpected` if the directory has changed since that was last true, or is gone. Returns whether all is as
   * expected.
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

/** When anything in a directory was last made, renamed or removed; `undefined` if there is no directory. */
function changeTime(directory: string): number | undefined {
  try {
    return statSync(directory, { throwIfNoEntry: false })?.ctimeMs;
  } catch {
    return undefined;
  }
}
