import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { journalDirectory, lockName } from "../file/journal-directory.ts";
import { DirectoryWatch } from "./directory-watch.ts";
import { FollowedCalls } from "./followed-calls.ts";
import { SegmentFiles } from "./segment-files.ts";
import { FileLock } from "../file/lock.ts";

/** Longest wait for the lock of a new journal, in milliseconds: a recovery may hold it for a moment. */
const LOCK_WAIT_MS = 100;

/** @see TelemetryConfig.maxQueueBytes */
const DEFAULT_MAX_FOLLOWED_LENGTH = 67_108_864;

/** Lines a write at most, when several wait for room. */
const MAX_LINES_A_WRITE = 64;

/** Pause after a failed attempt to make new files, in milliseconds. */
const RETRY_MS = 100;

/**
 * The copy on disk of the lines that wait in memory: what a killed process leaves behind.
 *
 * Lines are released in the order they were appended, so that to release is to count. A line that cannot be
 * written (a full disk, no permission) stays in memory and is tried again, in order, with each later call. Files
 * that somebody removes are noticed at the next call, at most once per millisecond under load, and begun
 * again with everything that is not released.
 *
 * Size: on disk is at most twice what ever waited and was in flight at one time, and 1 MiB (`SEGMENT_BYTES`). The queue
 * keeps the first below `maxQueueBytes` characters, and this class the second below `maxFollowedLength` characters; each
 * character takes one to three bytes.
 */
export class Journal {
  readonly #directory: string;
  readonly #lockPath: string;
  readonly #onFailure: (error: unknown) => void;
  readonly #watch: DirectoryWatch;
  readonly #followed: FollowedCalls;
  readonly #files: SegmentFiles;
  /** `undefined` until it is acquired, and when another process took it after its file was removed. */
  #lock: FileLock | undefined;
  /** Lines that are not released, oldest first. The newest ones may be in no file: see `#pending`. */
  readonly #lines: string[] = [];
  /** How many of the newest lines are in no file. */
  #pending = 0;
  /** Pending lines that end a call in flight, with its id: until they are written, the line of its start is kept. */
  readonly #ends = new Map<string, string>();
  /** Whether a file can have lines of calls that were settled without an end. */
  #hasUnended = false;
  #written = 0;
  #failures = 0;
  #isFailing = false;
  #retryAt = 0;
  #isClosed = false;

  /**
   * Begins the journal of a recorder. If nothing can be written there, it begins as soon as something can.
   * @param onFailure Told of the first line that could not be written; again after all could.
   * @param maxFollowedLength Characters of the lines of calls in flight; further calls are not kept.
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
    this.#look();
  }

  /** Bytes written since the beginning. */
  get written(): number {
    return this.#written;
  }

  /** Lines that were in memory only for a time. */
  get failures(): number {
    return this.#failures;
  }

  /** Lines that are not released and would not survive the process now. */
  get unwritten(): number {
    const pending = this.#pending === 0 ? [] : this.#lines.slice(-this.#pending);
    return this.#files.gone + pending.filter((line) => !this.#isCovered(line)).length;
  }

  /**
   * Takes in a line, its end included, on disk before it returns if there is room. Never throws.
   * @param callId The call in flight that this line ends: from now on it stands for it.
   */
  append(line: string, callId?: string): void {
    if (this.#isClosed) return;
    if (this.#watch.isDue()) this.#look();
    this.#lines.push(line);
    this.#pending += 1;
    this.#catchUp();
    if (this.#pending > 0) this.#failures += 1;
    if (callId === undefined) return;
    if (this.#pending > 0) this.#ends.set(line, callId);
    else this.#followed.forget(callId);
  }

  /** The oldest `count` lines are written to the database, or given up. Never throws. */
  release(count: number): void {
    const released = this.#lines.splice(0, count);
    const left = this.#files.release(released.length);
    this.#pending -= left;
    for (const line of released.slice(released.length - left)) this.#forgetEnd(line);
    if (this.#isClosed) return;
    this.#files.removeReleased();
    this.#retryAt = 0;
    this.#look();
    this.#catchUp();
  }

  /** Keeps the line of a call in flight, in place of an earlier one, until it ends or is settled. Never throws. */
  follow(id: string, line: string): void {
    if (this.#isClosed) return;
    if (this.#watch.isDue()) this.#look();
    if (!this.#followed.follow(id, line)) {
      this.#failures += 1;
      return;
    }
    this.#catchUp();
    if (this.#followed.isUnwritten(id)) this.#failures += 1;
  }

  /** The call is not in flight any more, and no line will end it. Never throws. */
  settle(id: string): void {
    this.#followed.forget(id);
    this.#hasUnended = true;
  }

  /**
   * Ends the journal. The lines that are not released stay on disk, for the next process that opens the
   * database, but for the `unwritten` ones: these are tried once more, then lost with the process.
   */
  close(): void {
    if (this.#isClosed) return;
    if (this.#lines.length > 0) {
      this.#retryAt = 0;
      this.#look();
      this.#catchUp();
      if (this.#hasUnended) this.#leaveOutUnended();
    }
    this.#end();
  }

  /** Ends the journal and removes its files: everything in it is released. */
  remove(): void {
    if (this.#isClosed) return;
    this.#lines.length = 0;
    this.#pending = 0;
    this.#ends.clear();
    this.#files.release(Number.POSITIVE_INFINITY);
    this.#end();
  }

  /** Calls that were counted as dropped must not be recovered as abandoned. */
  #leaveOutUnended(): void {
    try {
      this.#files.replaceAll();
    } catch {
      // No room: better one call too many than one too few.
    }
  }

  #end(): void {
    this.#isClosed = true;
    const hasCovered = [...this.#ends.keys()].some((line) => this.#isCovered(line));
    this.#files.close(hasCovered);
    if (this.#lines.length > this.unwritten) this.#lock?.release();
    else this.#lock?.remove();
  }

  /** Whether the process would leave the call of this pending line behind, though not its end. */
  #isCovered(line: string): boolean {
    const id = this.#ends.get(line);
    return id !== undefined && this.#followed.isOnDisk(id);
  }

  /** The line is on disk or released: what was kept for it is not needed any more. */
  #forgetEnd(line: string): void {
    const id = this.#ends.get(line);
    if (id === undefined) return;
    this.#ends.delete(line);
    this.#followed.forget(id);
  }

  /** Writes what is in memory only, in order, as far as there is room. */
  #catchUp(): void {
    let hasWritten = false;
    for (let count = 1; this.#pending > 0; count = Math.min(2 * count, MAX_LINES_A_WRITE)) {
      const lines = this.#lines.slice(-this.#pending).slice(0, count);
      if (!this.#write(lines.join(""), lines.length)) return;
      hasWritten = true;
      this.#pending -= lines.length;
      if (this.#ends.size > 0) for (const line of lines) this.#forgetEnd(line);
    }
    if (this.#followed.writeEach((line) => this.#write(line, 0))) hasWritten = true;
    if (hasWritten) this.#isFailing = false;
  }

  /** Writes a text that has `count` lines which wait. */
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

  /** Notices files that somebody removed, and makes new ones. */
  #look(): void {
    if (this.#watch.check(() => this.#files.areThere() && this.#holdsLock)) return;
    if (this.#files.isNewestGone) this.#followed.lostAll();
    if (now() >= this.#retryAt) this.#restore();
  }

  get #holdsLock(): boolean {
    return this.#lock?.isRemoved === false;
  }

  /**
   * Makes a new file for all that is not released. Also if only the lock was removed: a process that took this
   * one for dead removes the old files after it has read them, whatever was appended since.
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

/** In milliseconds, by a clock that tests do not stop. */
function now(): number {
  return Bun.nanoseconds() / 1_000_000;
}
