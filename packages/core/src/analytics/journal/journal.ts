import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { journalDirectory, lockName } from "../file/journal-directory.ts";
import { DirectoryWatch } from "./directory-watch.ts";
import { FollowedCalls } from "./followed-calls.ts";
import { SegmentFiles } from "./segment-files.ts";
import { FileLock } from "../file/lock.ts";

/** Longest wait for the lock of a new journal, in milliseconds; a recovery may hold it briefly. */
const LOCK_WAIT_MS = 100;

/** @see TelemetryConfig.maxQueueBytes */
const DEFAULT_MAX_FOLLOWED_LENGTH = 67_108_864;

/** Maximum number of lines per write, if several lines could not be written before. */
const MAX_LINES_PER_WRITE = 64;

/** Pause after a failed attempt to create new files, in milliseconds. */
const RETRY_MS = 100;

/**
 * Copies the lines that wait in memory to disk, where they survive a killed process.
 *
 * Lines are released in the order in which they were appended, so releasing needs only a count. A line that cannot be
 * written (a full disk, no permission) stays in memory; each later call retries, in order. Removed files are noticed at
 * the next call, at most once per millisecond under load, and replaced by new files with all unreleased lines.
 *
 * Size on disk: at most twice the peak of waiting lines and lines of calls in flight, plus 1 MiB (`SEGMENT_BYTES`). The
 * queue limits the former to `maxQueueBytes` characters, and this class limits the latter to `maxFollowedLength`
 * characters; each character takes one to three bytes.
 */
export class Journal {
  readonly #directory: string;
  readonly #lockPath: string;
  readonly #onFailure: (error: unknown) => void;
  readonly #watch: DirectoryWatch;
  readonly #followed: FollowedCalls;
  readonly #files: SegmentFiles;
  /** `undefined` until it is acquired, and after its file was removed and another process acquired it. */
  #lock: FileLock | undefined;
  /** Unreleased lines, oldest first. The newest `#pending` of them are in no file. */
  readonly #lines: string[] = [];
  /** Number of newest lines that are in no file. */
  #pending = 0;
  /**
   * The call id of each pending line that ends a call in flight; the call's start is kept until that line is written.
   */
  readonly #ends = new Map<string, string>();
  /** Whether a file may contain lines of calls that were settled without an end. */
  #hasUnended = false;
  #written = 0;
  #failures = 0;
  #isFailing = false;
  #retryAt = 0;
  #isClosed = false;

  /**
   * Starts the journal of a recorder. If its files cannot be created, later calls retry.
   * @param onFailure Called at the first failed write, and again only after writing has succeeded in between.
   * @param maxFollowedLength Maximum characters in the lines of calls in flight; calls beyond that are not journalled.
   */
  constructor(
    databasePath: string,
    recorderId: string,
    onFailure: (error: unknown) => void,
    maxFollowedLength = DEFAULT_MAX_FOLLOWED_LENGTH,
  ) {
    this.#directory = journalDirectory(databasePath);
    this.#lockPath = join(this.#directory, lockName(recorderId));
    this.#onFailure = onFailure;
    this.#watch = new DirectoryWatch(this.#directory);
    this.#followed = new FollowedCalls(maxFollowedLength);
    const waiting = () => this.#lines.slice(0, this.#lines.length - this.#pending);
    this.#files = new SegmentFiles(this.#directory, recorderId, waiting, this.#followed);
    this.#checkFiles();
  }

  /** Total bytes written. */
  get written(): number {
    return this.#written;
  }

  /** Number of lines that could not be written at once. */
  get failures(): number {
    return this.#failures;
  }

  /** Number of unreleased lines that would be lost if the process ended now. */
  get unwritten(): number {
    const pending = this.#pending === 0 ? [] : this.#lines.slice(-this.#pending);
    return this.#files.gone + pending.filter((line) => !this.#isCovered(line)).length;
  }

  /**
   * Appends a line, including its newline. If there is room, the line is on disk when this returns. Never throws.
   * @param callId The call in flight that this line ends; the line replaces that of its start.
   */
  append(line: string, callId?: string): void {
    if (this.#isClosed) return;
    if (this.#watch.isDue()) this.#checkFiles();
    this.#lines.push(line);
    this.#pending += 1;
    this.#catchUp();
    if (this.#pending > 0) this.#failures += 1;
    if (callId === undefined) return;
    if (this.#pending > 0) this.#ends.set(line, callId);
    else this.#followed.forget(callId);
  }

  /** Releases the oldest `count` lines, which are in the database or were given up. Never throws. */
  release(count: number): void {
    const released = this.#lines.splice(0, count);
    const left = this.#files.release(released.length);
    this.#pending -= left;
    for (const line of released.slice(released.length - left)) this.#forgetEnd(line);
    if (this.#isClosed) return;
    this.#files.removeReleased();
    this.#retryAt = 0;
    this.#checkFiles();
    this.#catchUp();
  }

  /** Keeps the line of a call in flight, replacing an earlier one, until the call ends or is settled. Never throws. */
  follow(id: string, line: string): void {
    if (this.#isClosed) return;
    if (this.#watch.isDue()) this.#checkFiles();
    if (!this.#followed.follow(id, line)) {
      this.#failures += 1;
      return;
    }
    this.#catchUp();
    if (this.#followed.isUnwritten(id)) this.#failures += 1;
  }

  /** Drops a call that is no longer in flight and that no line will end. Never throws. */
  settle(id: string): void {
    this.#followed.forget(id);
    this.#hasUnended = true;
  }

  /**
   * Closes the journal. Unreleased lines stay on disk for the next process that opens the database. Lines that are only
   * in memory are written if possible, otherwise lost.
   */
  close(): void {
    if (this.#isClosed) return;
    if (this.#lines.length > 0) {
      this.#retryAt = 0;
      this.#checkFiles();
      this.#catchUp();
      if (this.#hasUnended) this.#leaveOutUnended();
    }
    this.#end();
  }

  /** Releases all lines, closes the journal and removes its files. */
  remove(): void {
    if (this.#isClosed) return;
    this.#lines.length = 0;
    this.#pending = 0;
    this.#ends.clear();
    this.#files.release(Number.POSITIVE_INFINITY);
    this.#end();
  }

  /** Rewrites the files without dropped calls, which must not be recovered as abandoned. */
  #leaveOutUnended(): void {
    try {
      this.#files.replaceAll();
    } catch {
      // Without room, one call too many is better than one too few.
    }
  }

  #end(): void {
    this.#isClosed = true;
    const hasCovered = [...this.#ends.keys()].some((line) => this.#isCovered(line));
    this.#files.close(hasCovered);
    if (this.#lines.length > this.unwritten) this.#lock?.release();
    else this.#lock?.remove();
  }

  /** Whether the call that a pending line ends is on disk, without that end. */
  #isCovered(line: string): boolean {
    const id = this.#ends.get(line);
    return id !== undefined && this.#followed.isOnDisk(id);
  }

  /** Drops the start of a call whose end is on disk or released. */
  #forgetEnd(line: string): void {
    const id = this.#ends.get(line);
    if (id === undefined) return;
    this.#ends.delete(line);
    this.#followed.forget(id);
  }

  /** Writes the lines that are only in memory, in order, as far as there is room. */
  #catchUp(): void {
    let hasWritten = false;
    for (let count = 1; this.#pending > 0; count = Math.min(2 * count, MAX_LINES_PER_WRITE)) {
      const lines = this.#lines.slice(-this.#pending).slice(0, count);
      if (!this.#write(lines.join(""), lines.length)) return;
      hasWritten = true;
      this.#pending -= lines.length;
      if (this.#ends.size > 0) for (const line of lines) this.#forgetEnd(line);
    }
    if (this.#followed.writeEach((line) => this.#write(line, 0))) hasWritten = true;
    if (hasWritten) this.#isFailing = false;
  }

  /** Writes a text that contains `count` pending lines. Returns whether it succeeded. */
  #write(text: string, count: number): boolean {
    try {
      this.#written += this.#files.append(text, count);
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #fail(error: unknown): void {
    if (!this.#isFailing) this.#onFailure(error);
    this.#isFailing = true;
  }

  /** Detects removed files and creates new ones. */
  #checkFiles(): void {
    if (this.#watch.check(() => this.#files.allExist() && this.#holdsLock)) return;
    if (this.#files.isNewestGone) this.#followed.lostAll();
    if (now() >= this.#retryAt) this.#restore();
  }

  get #holdsLock(): boolean {
    return this.#lock?.isRemoved === false;
  }

  /**
   * Creates a new file with all unreleased lines, even if only the lock was removed: a process that considers this one
   * dead removes the old files after reading them, including lines that were appended since.
   */
  #restore(): void {
    this.#retryAt = now() + RETRY_MS;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      if (!this.#holdsLock) this.#acquire();
      this.#files.replaceAll();
      this.#hasUnended = false;
      if (this.#lock) this.#retryAt = 0;
    } catch (error) {
      this.#fail(error);
    }
  }

  #acquire(): void {
    const lost = this.#lock;
    this.#lock = FileLock.acquire(this.#lockPath, this.#files.hasBegun ? 0 : LOCK_WAIT_MS);
    lost?.release();
  }
}

/** Time in milliseconds, from a clock that fake timers do not stop. */
function now(): number {
  return Bun.nanoseconds() / 1_000_000;
}
