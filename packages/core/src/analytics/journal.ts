import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { canonicalPath } from "./canonical-path.ts";
import { FileLock } from "./lock.ts";

/** The first line of each segment. A reader leaves a version that it does not know alone. */
export const JOURNAL_HEADER = { format: "toolmeter-journal", version: 1 } as const;

/** A new segment is begun when the current one is this long, in bytes. */
const SEGMENT_BYTES = 1_048_576;

/** Calls in flight whose start is kept at most; a tool that never ends its calls must not fill memory. */
const MAX_OPEN = 10_000;

/** Longest wait for the lock of a new journal, in milliseconds. */
const LOCK_WAIT_MS = 100;

/** The directory of the journals of a database's recorders: the same for every name of the file. */
export function journalDirectory(databasePath: string): string {
  return `${canonicalPath(databasePath)}.journal`;
}

export function lockName(recorderId: string): string {
  return `${recorderId}.lock`;
}

interface Segment {
  readonly path: string;
  /** Records of this segment that are not settled. */
  waiting: number;
}

/**
 * The copy on disk of the lines that wait in memory: what a killed process leaves behind.
 *
 * Lines are released in the order they were appended, so that to release is to count. A line costs one
 * `write(2)` and no fsync: it survives the process, not a power cut. What cannot be written (a full disk, no
 * permission) is counted, told once, and stays in memory alone.
 */
export class Journal {
  readonly #directory: string;
  readonly #recorderId: string;
  readonly #onFailure: (error: unknown) => void;
  readonly #lock: FileLock;
  /** Oldest first; the last one is written to. */
  readonly #segments: Segment[] = [];
  /** The lines of calls in flight, by id: each segment begins with them. */
  readonly #open = new Map<string, string>();
  #descriptor: number | undefined;
  /** Length of the last segment. */
  #length = 0;
  #created = 0;
  #written = 0;
  #failures = 0;
  #isFailing = false;

  /**
   * Begins the journal of a recorder.
   * @param onFailure Told of the first line that could not be written; again after some that could.
   * @throws What the file system says if nothing can be written there.
   */
  constructor(databasePath: string, recorderId: string, onFailure: (error: unknown) => void) {
    this.#directory = journalDirectory(databasePath);
    this.#recorderId = recorderId;
    this.#onFailure = onFailure;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const path = join(this.#directory, lockName(recorderId));
    // Nobody but a recovery that looks for the locks of dead processes wants it, and only for a moment.
    const lock = FileLock.acquire(path, LOCK_WAIT_MS);
    if (!lock) throw new Error(`Expected to lock ${path}, but another process holds it.`);
    this.#lock = lock;
    try {
      this.#rotate();
    } catch (error) {
      lock.remove();
      throw error;
    }
  }

  /** Bytes written since the beginning. */
  get written(): number {
    return this.#written;
  }

  /** Lines that are in memory alone. */
  get failures(): number {
    return this.#failures;
  }

  /** Takes in a line, its end included, on disk before it returns. Never throws. */
  append(line: string): void {
    if (this.#length >= SEGMENT_BYTES) this.#tryRotate();
    this.#write(line);
    const current = this.#segments.at(-1);
    if (current) current.waiting += 1;
  }

  /** The oldest `count` lines are settled. Never throws. */
  release(count: number): void {
    let left = count;
    for (const segment of this.#segments) {
      const settled = Math.min(left, segment.waiting);
      segment.waiting -= settled;
      left -= settled;
    }
    this.#removeSettled();
    if (!this.#isWritable()) this.#tryRotate();
  }

  /** Keeps the line of a call that is in flight, until `dropOpen`. Never throws. */
  keepOpen(id: string, line: string): void {
    if (this.#open.size >= MAX_OPEN) return;
    this.#open.set(id, line);
    this.#write(line);
  }

  /** The call is not in flight any more. */
  dropOpen(id: string): void {
    this.#open.delete(id);
  }

  /** Ends the journal; of what is not settled, the files stay for whoever opens the database next. */
  close(): void {
    this.#closeDescriptor();
    while (this.#segments[0]?.waiting === 0) this.#removeFirst();
    if (this.#segments.length === 0) this.#lock.remove();
    else this.#lock.release();
  }

  /** Ends the journal and removes its files: everything in it is settled. */
  remove(): void {
    for (const segment of this.#segments) segment.waiting = 0;
    this.close();
  }

  #write(text: string): void {
    try {
      if (this.#descriptor === undefined) throw new Error("its file could not be opened");
      const count = writeWhole(this.#descriptor, text, this.#length);
      this.#length += count;
      this.#written += count;
      this.#isFailing = false;
    } catch (error) {
      this.#failures += 1;
      if (!this.#isFailing) this.#onFailure(error);
      this.#isFailing = true;
    }
  }

  /** Begins a new segment. Throws, and goes on with the old one, if there is no room for it. */
  #rotate(): void {
    this.#created += 1;
    const path = join(this.#directory, `${this.#recorderId}-${this.#created}.jsonl`);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND;
    const descriptor = openSync(path, flags, 0o600);
    try {
      const lines = [`${JSON.stringify(JOURNAL_HEADER)}\n`, ...this.#open.values()];
      this.#length = writeWhole(descriptor, lines.join(""), 0);
    } catch (error) {
      tryTo(() => closeSync(descriptor));
      tryTo(() => rmSync(path, { force: true }));
      throw error;
    }
    this.#closeDescriptor();
    this.#descriptor = descriptor;
    this.#segments.push({ path, waiting: 0 });
    this.#removeSettled();
  }

  #tryRotate(): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      this.#rotate();
    } catch {
      // The old segment goes on; the next line, or the next release, tries again.
    }
  }

  /** Whether there is a segment, and nobody removed its file. */
  #isWritable(): boolean {
    try {
      return this.#descriptor !== undefined && fstatSync(this.#descriptor).nlink > 0;
    } catch {
      return false;
    }
  }

  /** The last segment stays: it is written to. */
  #removeSettled(): void {
    while (this.#segments.length > 1 && this.#segments[0]?.waiting === 0) this.#removeFirst();
  }

  #removeFirst(): void {
    const segment = this.#segments.shift();
    if (segment) tryTo(() => rmSync(segment.path, { force: true }));
  }

  #closeDescriptor(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) tryTo(() => closeSync(descriptor));
  }
}

/** Writes all of a text at the end of a file, or nothing: half a line would spoil the next. Returns its bytes. */
function writeWhole(descriptor: number, text: string, length: number): number {
  const bytes = toBytes(text);
  const count = writeSync(descriptor, bytes);
  if (count === bytes.length) return count;
  // A full disk takes a part of a text.
  ftruncateSync(descriptor, length);
  throw new Error("no space left for a whole line");
}

/** Where lines become bytes: to write a text itself takes twice as long. */
const scratch = Buffer.allocUnsafeSlow(65_536);

/** The text in UTF-8, until the next call. */
function toBytes(text: string): Uint8Array {
  // A UTF-16 code unit takes three bytes at most.
  if (text.length * 3 > scratch.length) return Buffer.from(text);
  return scratch.subarray(0, scratch.write(text));
}

/** What cannot be removed or closed is left: reading a journal twice does no harm. */
function tryTo(step: () => void): void {
  try {
    step();
  } catch {
    // Nothing waits for it.
  }
}
