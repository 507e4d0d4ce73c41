import { join } from "node:path";
import type { FollowedCalls } from "./followed-calls.ts";
import { LineFile } from "./line-file.ts";

/** The first line of each segment. Readers skip segments of a newer version. */
export const JOURNAL_HEADER = { format: "toolmeter-journal", version: 1 } as const;

const HEADER_LINE = `${JSON.stringify(JOURNAL_HEADER)}\n`;

/** A segment is replaced at this length, in bytes, or at twice its initial length if that is more. */
const SEGMENT_BYTES = 1_048_576;

/** A segment that cannot be replaced (no descriptor left) grows up to this multiple of its limit. */
const MAX_OVERDUE = 4;

interface Segment {
  readonly file: LineFile;
  /** Number of unreleased lines in this segment. */
  waiting: number;
  /** Whether the file was removed, so that its lines are only in memory. */
  isGone: boolean;
}

/**
 * The files of one journal. Lines are appended to the newest, which also contains the lines of all calls in flight. A
 * file is removed when all its lines are released or copied to a new file.
 */
export class SegmentFiles {
  readonly #directory: string;
  readonly #recorderId: string;
  readonly #waiting: () => readonly string[];
  readonly #followed: FollowedCalls;
  /** Oldest first. */
  #segments: Segment[] = [];
  /** Length at which the newest file is replaced, in bytes. */
  #limit = SEGMENT_BYTES;
  #created = 0;

  /** @param waiting Returns the unreleased lines of all files, oldest first. */
  constructor(
    directory: string,
    recorderId: string,
    waiting: () => readonly string[],
    followed: FollowedCalls,
  ) {
    this.#directory = directory;
    this.#recorderId = recorderId;
    this.#waiting = waiting;
    this.#followed = followed;
  }

  /** Whether creating a file was ever attempted. */
  get hasBegun(): boolean {
    return this.#created > 0;
  }

  /** Number of unreleased lines in removed files. */
  get gone(): number {
    return sum(this.#segments.filter(({ isGone }) => isGone));
  }

  get isNewestGone(): boolean {
    return this.#segments.at(-1)?.isGone === true;
  }

  /** Checks for removed files. Returns whether there is a file and none was removed. */
  allExist(): boolean {
    for (const segment of this.#segments) segment.isGone = !segment.file.exists;
    return this.#segments.length > 0 && !this.#segments.some(({ isGone }) => isGone);
  }

  /**
   * Appends `text`, which contains `count` unreleased lines; returns its length in bytes. Throws, and changes nothing,
   * on failure.
   */
  append(text: string, count: number): number {
    const segment = this.#newest();
    const bytes = segment.file.append(text);
    segment.waiting += count;
    return bytes;
  }

  /** Replaces all files with one that contains all unreleased lines. Throws, and changes nothing, on failure. */
  replaceAll(): void {
    this.#replace(0);
  }

  /** Releases the oldest `count` lines. Returns how many of them were in no file. */
  release(count: number): number {
    let left = count;
    for (const segment of this.#segments) {
      const counted = Math.min(left, segment.waiting);
      segment.waiting -= counted;
      left -= counted;
    }
    return left;
  }

  /** Removes files without unreleased lines, except the newest, which is still written to. */
  removeReleased(): void {
    while (this.#segments.length > 1 && this.#segments[0]?.waiting === 0)
      this.#segments.shift()?.file.remove();
  }

  /** Closes the files with unreleased lines, and the newest if `keepsNewest`; removes the others. */
  close(keepsNewest: boolean): void {
    const newest = this.#segments.at(-1);
    for (const segment of this.#segments) {
      if (segment.waiting > 0 || (segment === newest && keepsNewest)) segment.file.close();
      else segment.file.remove();
    }
  }

  /** Returns the segment for the next line. Throws if there is none. */
  #newest(): Segment {
    const newest = this.#segments.at(-1);
    if (!newest || newest.isGone) throw new Error(`no file could be created in ${this.#directory}`);
    if (newest.file.length < this.#limit) return newest;
    try {
      const count = this.#segments.length;
      return this.#replace(this.#isSparse(newest) ? count - 1 : count);
    } catch (error) {
      if (newest.file.length >= MAX_OVERDUE * this.#limit) throw error;
      return newest;
    }
  }

  /** Whether more than half of the segment is released or superseded; the rest then moves to the next segment. */
  #isSparse({ waiting, file }: Segment): boolean {
    const lines = waiting === 0 ? [] : this.#waiting().slice(-waiting);
    const bytes = lines.reduce((total, line) => total + Buffer.byteLength(line), 0);
    return 2 * bytes < file.length;
  }

  /**
   * Replaces the segments from index `from` on with one that contains their unreleased lines and the calls in flight.
   * The old files are removed after the new one is written. Throws, and changes nothing, on failure.
   */
  #replace(from: number): Segment {
    this.#created += 1;
    const path = join(this.#directory, `${this.#recorderId}-${this.#created}.jsonl`);
    const kept = this.#segments.slice(0, from);
    const replaced = this.#segments.slice(from);
    const waiting = sum(replaced);
    const lines = this.#waiting().slice(sum(kept));
    const text = [HEADER_LINE, ...lines, ...this.#followed.lines].join("");
    const segment = { file: LineFile.create(path, text), waiting, isGone: false };
    this.#limit = Math.max(SEGMENT_BYTES, 2 * segment.file.length);
    this.#segments.at(-1)?.file.close();
    this.#segments = [...kept, segment];
    this.#followed.wroteAll();
    for (const { file } of replaced) file.remove();
    this.removeReleased();
    return segment;
  }
}

function sum(segments: readonly Segment[]): number {
  return segments.reduce((total, { waiting }) => total + waiting, 0);
}
