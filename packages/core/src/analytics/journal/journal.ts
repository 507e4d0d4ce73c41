import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { journalDirectory, lockName } from "../file/journal-directory.ts";
import { LineFile } from "./line-file.ts";
import { FileLock } from "../file/lock.ts";
import { TokenBucket } from "./token-bucket.ts";

/** The first line of each segment. A reader leaves a version that it does not know alone. */
export const JOURNAL_HEADER = { format: "toolmeter-journal", version: 1 } as const;

const HEADER_LINE = `${JSON.stringify(JOURNAL_HEADER)}\n`;

/** A segment is replaced when it is this long, in bytes, or twice as long as at its beginning. */
const SEGMENT_BYTES = 1_048_576;

/** A segment that cannot be replaced (no descriptor left) takes lines up to this many times its limit. */
const MAX_OVERDUE = 4;

/** Calls in flight whose start is kept at most; a tool that never ends its calls must not fill the disk. */
const MAX_OPEN = 10_000;

/** Longest wait for the lock of a new journal, in milliseconds: a recovery may hold it for a moment. */
const LOCK_WAIT_MS = 100;

/** @see TelemetryConfig.maxQueueBytes */
const DEFAULT_MAX_OPEN_LENGTH = 67_108_864;

/** Lines a write at most, when several wait for room. */
const MAX_LINES_A_WRITE = 64;

/** Looks after the files, per millisecond: the `stat` of one look takes as long as the write of one line. */
const LOOKS_PER_MS = 1;
const LOOKS_AT_ONCE = 64;

/** A directory that changed this short a time ago may change again without a new time stamp, in milliseconds. */
const TIME_STAMP_MS = 50;

/** Pause after a failed attempt to make new files, in milliseconds. */
const RETRY_MS = 100;

interface Segment {
  readonly file: LineFile;
  /** Lines of this segment that are not settled. */
  waiting: number;
  /** Whether somebody removed the file: its lines are in memory only. */
  isGone: boolean;
}

/** A call in flight. */
interface OpenCall {
  readonly line: string;
  /** Whether the current segment has this line, or an earlier one about the same call. */
  isOnDisk: boolean;
}

/**
 * The copy on disk of the lines that wait in memory: what a killed process leaves behind.
 *
 * Lines are released in the order they were appended, so that to release is to count. A line that cannot be
 * written (a full disk, no permission) stays in memory and is tried again, in order, with each later call. Files
 * that somebody removes are noticed at the next call, at most once per millisecond under load, and begun
 * again with everything that is not settled.
 *
 * Size: on disk is at most twice what ever waited and was in flight at one time, and 1 MiB (`SEGMENT_BYTES`). The queue
 * keeps the first below `maxQueueBytes` characters, and this class the second below `maxOpenLength` characters; each
 * character takes one to three bytes.
 */
export class Journal {
  readonly #directory: string;
  readonly #recorderId: string;
  readonly #onFailure: (error: unknown) => void;
  readonly #maxOpenLength: number;
  readonly #looks = new TokenBucket(LOOKS_PER_MS, LOOKS_AT_ONCE);
  /** `undefined` until it is acquired, and when another process took it after its file was removed. */
  #lock: FileLock | undefined;
  /** The directory's change time when all files were there, if it is old enough to tell. */
  #unchangedSince: number | undefined;
  /** Oldest first; the last one is written to, and has the lines of all calls in flight. */
  #segments: Segment[] = [];
  /** Lines that are not settled, oldest first. The newest ones may be in no segment: see `#pending`. */
  readonly #lines: string[] = [];
  /** How many of the newest lines are in no segment. */
  #pending = 0;
  /** Pending lines that end a call in flight, with its id: until they are written, the line of its start is kept. */
  readonly #ends = new Map<string, string>();
  readonly #open = new Map<string, OpenCall>();
  /** Ids of the calls in flight whose newest line is not on disk. */
  readonly #unwrittenOpen = new Set<string>();
  /** Characters of the lines of calls in flight. */
  #openLength = 0;
  /** Whether a segment may have lines of calls that were dropped. */
  #hasDropped = false;
  /** Length at which the current segment is replaced. */
  #limit = SEGMENT_BYTES;
  #created = 0;
  #written = 0;
  #failures = 0;
  #isFailing = false;
  #retryAt = 0;
  #isClosed = false;

  /**
   * Begins the journal of a recorder. If nothing can be written there, it begins as soon as something can.
   * @param onFailure Told of the first line that could not be written; again after all could.
   * @param maxOpenLength Characters of the lines of calls in flight; further calls are not kept.
   */
  constructor(
    databasePath: string,
    recorderId: string,
    onFailure: (error: unknown) => void,
    maxOpenLength = DEFAULT_MAX_OPEN_LENGTH,
  ) {
    this.#directory = journalDirectory(databasePath);
    this.#recorderId = recorderId;
    this.#onFailure = onFailure;
    this.#maxOpenLength = maxOpenLength;
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

  /** Lines that are not settled and would not survive the process now. */
  get unwritten(): number {
    const gone = sum(this.#segments.filter(({ isGone }) => isGone));
    const pending = this.#pending === 0 ? [] : this.#lines.slice(-this.#pending);
    return gone + pending.filter((line) => !this.#isCovered(line)).length;
  }

  /**
   * Takes in a line, its end included, on disk before it returns if there is room. Never throws.
   * @param callId The call in flight that this line ends: from now on it stands for it.
   */
  append(line: string, callId?: string): void {
    if (this.#isClosed) return;
    if (this.#looks.take()) this.#look();
    this.#lines.push(line);
    this.#pending += 1;
    this.#catchUp();
    if (this.#pending > 0) this.#failures += 1;
    if (callId === undefined) return;
    if (this.#pending > 0) this.#ends.set(line, callId);
    else this.#forgetCall(callId);
  }

  /** The oldest `count` lines are settled. Never throws. */
  release(count: number): void {
    const settled = this.#lines.splice(0, count);
    let left = settled.length;
    for (const segment of this.#segments) {
      const counted = Math.min(left, segment.waiting);
      segment.waiting -= counted;
      left -= counted;
    }
    this.#pending -= left;
    for (const line of settled.slice(settled.length - left)) this.#settleEnd(line);
    if (this.#isClosed) return;
    this.#removeSettled();
    this.#retryAt = 0;
    this.#look();
    this.#catchUp();
  }

  /** Keeps the line of a call in flight, in place of an earlier one, until it ends or is dropped. Never throws. */
  keepOpen(id: string, line: string): void {
    if (this.#isClosed) return;
    if (this.#looks.take()) this.#look();
    const earlier = this.#open.get(id);
    const length = this.#openLength + line.length - (earlier?.line.length ?? 0);
    if (length > this.#maxOpenLength || (!earlier && this.#open.size >= MAX_OPEN)) {
      this.#failures += 1;
      return;
    }
    this.#openLength = length;
    this.#open.set(id, { line, isOnDisk: earlier?.isOnDisk ?? false });
    this.#unwrittenOpen.add(id);
    this.#catchUp();
    if (this.#unwrittenOpen.has(id)) this.#failures += 1;
  }

  /** The call is not in flight any more, and no line will stand for it. */
  dropOpen(id: string): void {
    this.#forgetCall(id);
    this.#hasDropped = true;
  }

  #forgetCall(id: string): void {
    const call = this.#open.get(id);
    if (!call) return;
    this.#openLength -= call.line.length;
    this.#open.delete(id);
    this.#unwrittenOpen.delete(id);
  }

  /**
   * Ends the journal. The lines that are not settled stay on disk, for the next process that opens the
   * database, but for the `unwritten` ones: these are tried once more, then lost with the process.
   */
  close(): void {
    if (this.#isClosed) return;
    if (this.#lines.length > 0) {
      this.#retryAt = 0;
      this.#look();
      this.#catchUp();
      if (this.#hasDropped) this.#leaveOutDropped();
    }
    this.#end();
  }

  /** Ends the journal and removes its files: everything in it is settled. */
  remove(): void {
    if (this.#isClosed) return;
    this.#lines.length = 0;
    this.#pending = 0;
    this.#ends.clear();
    for (const segment of this.#segments) segment.waiting = 0;
    this.#end();
  }

  /** Calls that were counted as dropped are not taken in as abandoned. */
  #leaveOutDropped(): void {
    try {
      this.#begin(0);
    } catch {
      // No room: better one call too many than one too few.
    }
  }

  #end(): void {
    this.#isClosed = true;
    const current = this.#segments.at(-1);
    const hasCovered = [...this.#ends.keys()].some((line) => this.#isCovered(line));
    for (const segment of this.#segments) {
      if (segment.waiting > 0 || (segment === current && hasCovered)) segment.file.close();
      else segment.file.remove();
    }
    if (this.#lines.length > this.unwritten) this.#lock?.release();
    else this.#lock?.remove();
  }

  /** Whether the process would leave the call of this pending line behind, though not its end. */
  #isCovered(line: string): boolean {
    const id = this.#ends.get(line);
    return id !== undefined && this.#open.get(id)?.isOnDisk === true;
  }

  /** The line is on disk or settled: what was kept for it is not needed any more. */
  #settleEnd(line: string): void {
    const id = this.#ends.get(line);
    if (id === undefined) return;
    this.#ends.delete(line);
    this.#forgetCall(id);
  }

  /** Writes what is in memory only, in order, as far as there is room. */
  #catchUp(): void {
    let hasWritten = false;
    for (let count = 1; this.#pending > 0; count = Math.min(2 * count, MAX_LINES_A_WRITE)) {
      const lines = this.#lines.slice(-this.#pending).slice(0, count);
      if (!this.#write(lines.join(""))) return;
      hasWritten = true;
      const current = this.#segments.at(-1);
      if (current) current.waiting += lines.length;
      this.#pending -= lines.length;
      if (this.#ends.size > 0) for (const line of lines) this.#settleEnd(line);
    }
    for (const id of this.#unwrittenOpen) {
      const call = this.#open.get(id);
      if (!call || !this.#write(call.line)) return;
      hasWritten = true;
      call.isOnDisk = true;
      this.#unwrittenOpen.delete(id);
    }
    if (hasWritten) this.#isFailing = false;
  }

  #write(text: string): boolean {
    try {
      this.#written += this.#currentFile().append(text);
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

  /** The file that takes the next line. Throws if there is none. */
  #currentFile(): LineFile {
    const current = this.#segments.at(-1);
    if (!current || current.isGone) throw new Error(`no file could be made in ${this.#directory}`);
    if (current.file.length < this.#limit) return current.file;
    try {
      const count = this.#segments.length;
      return this.#begin(this.#isSparse(current) ? count - 1 : count);
    } catch (error) {
      if (current.file.length >= MAX_OVERDUE * this.#limit) throw error;
      return current.file;
    }
  }

  /** Whether more than half of the current segment is settled or superseded: the rest moves to the next one. */
  #isSparse({ waiting, file }: Segment): boolean {
    const end = this.#lines.length - this.#pending;
    const lines = this.#lines.slice(end - waiting, end);
    const bytes = lines.reduce((total, line) => total + Buffer.byteLength(line), 0);
    return 2 * bytes < file.length;
  }

  /**
   * Begins a segment that replaces those from index `from` on: it has what waits in them, and the calls in
   * flight. They are removed after it is written. Throws, and changes nothing, if it cannot be.
   */
  #begin(from: number): LineFile {
    this.#created += 1;
    const path = join(this.#directory, `${this.#recorderId}-${this.#created}.jsonl`);
    const replaced = this.#segments.slice(from);
    const first = sum(this.#segments.slice(0, from));
    const waiting = sum(replaced);
    const lines = this.#lines.slice(first, first + waiting);
    const open = [...this.#open.values()];
    const file = LineFile.create(
      path,
      [HEADER_LINE, ...lines, ...open.map(({ line }) => line)].join(""),
    );
    this.#limit = Math.max(SEGMENT_BYTES, 2 * file.length);
    this.#segments.at(-1)?.file.close();
    this.#segments = [...this.#segments.slice(0, from), { file, waiting, isGone: false }];
    for (const call of open) call.isOnDisk = true;
    this.#unwrittenOpen.clear();
    if (from === 0) this.#hasDropped = false;
    for (const segment of replaced) segment.file.remove();
    this.#removeSettled();
    return file;
  }

  /** The last segment stays: it is written to. */
  #removeSettled(): void {
    while (this.#segments.length > 1 && this.#segments[0]?.waiting === 0) {
      this.#segments.shift()?.file.remove();
    }
  }

  /** Notices files that somebody removed, and makes new ones. */
  #look(): void {
    const changedAt = changeTime(this.#directory);
    if (changedAt !== undefined && changedAt === this.#unchangedSince) return;
    for (const segment of this.#segments) segment.isGone = !segment.file.exists;
    const isHeld = this.#lock?.isRemoved === false;
    if (isHeld && this.#segments.length > 0 && !this.#segments.some(({ isGone }) => isGone)) {
      const isOld = changedAt !== undefined && Date.now() - changedAt > TIME_STAMP_MS;
      this.#unchangedSince = isOld ? changedAt : undefined;
      return;
    }
    this.#unchangedSince = undefined;
    if (this.#segments.at(-1)?.isGone) this.#forgetOpen();
    if (now() >= this.#retryAt) this.#restore(isHeld);
  }

  /** No file has the lines of the calls in flight any more. */
  #forgetOpen(): void {
    for (const [id, call] of this.#open) {
      call.isOnDisk = false;
      this.#unwrittenOpen.add(id);
    }
  }

  /**
   * Makes a new file for all that is not settled. Also if only the lock was removed: a process that took this
   * one for dead removes the old files after it has read them, whatever was appended since.
   */
  #restore(isHeld: boolean): void {
    this.#retryAt = now() + RETRY_MS;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      if (!isHeld) this.#acquire();
      this.#begin(0);
      if (this.#lock) this.#retryAt = 0;
    } catch (error) {
      this.#fail(error);
    }
  }

  #acquire(): void {
    const lost = this.#lock;
    const path = join(this.#directory, lockName(this.#recorderId));
    this.#lock = FileLock.acquire(path, this.#created === 0 ? LOCK_WAIT_MS : 0);
    lost?.release();
  }
}

function sum(segments: readonly Segment[]): number {
  return segments.reduce((total, { waiting }) => total + waiting, 0);
}

/** When anything in a directory was last made, renamed or removed; `undefined` if there is no directory. */
function changeTime(directory: string): number | undefined {
  try {
    return statSync(directory, { throwIfNoEntry: false })?.ctimeMs;
  } catch {
    return undefined;
  }
}

/** In milliseconds, by a clock that tests do not stop. */
function now(): number {
  return Bun.nanoseconds() / 1_000_000;
}
