import { join } from "node:path";
import type { FollowedCalls } from "./followed-calls.ts";
import { LineFile } from "./line-file.ts";

/** The first line of each segment. A reader leaves a version that it does not know alone. */
export const JOURNAL_HEADER = { format: "toolmeter-journal", version: 1 } as const;

const HEADER_LINE = `${JSON.stringify(JOURNAL_HEADER)}\n`;

/** A segment is replaced when it is this long, in bytes, or twice as long as at its beginning. */
const SEGMENT_BYTES = 1_048_576;

/** A segment that cannot be replaced (no descriptor left) takes lines up to this many times its limit. */
const MAX_OVERDUE = 4;

interface Segment {
  readonly file: LineFile;
  /** Lines of this segment that are not released. */
  waiting: number;
  /** Whether somebody removed the file: its lines are in memory only. */
  isGone: boolean;
}

/**
 * The files of one journal. Lines are appended to the newest, which also has the lines of all calls in flight. A file
 * is removed when all its lines are released, or when a new one has taken them over.
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

  /** @param waiting Returns the lines in all files that are not released, oldest first. */
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

  /** Whether a file was ever made, or tried to be made. */
  get hasBegun(): boolean {
    return this.#created > 0;
  }

  /** Lines that are not released, in files that somebody removed. */
  get gone(): number {
    return sum(this.#segments.filter(({ isGone }) => isGone));
  }

  get isNewestGone(): boolean {
    return this.#segments.at(-1)?.isGone === true;
  }

  /** Looks for files that somebody removed. Returns whether there is a file, and none was removed. */
  areThere(): boolean {
    for (const segment of this.#segments) segment.isGone = !segment.file.exists;
    return this.#segments.length > 0 && !this.#segments.some(({ isGone }) => isGone);
  }

  /** Appends `text`, which has `count` lines that wait, and returns its bytes. Throws, and changes no line, if it cannot. */
  append(text: string, count: number): number {
    const segment = this.#newest();
    const bytes = segment.file.append(text);
    segment.waiting += count;
    return bytes;
  }

  /** Makes one file for everything that waits, in place of all others. Throws, and changes nothing, if it cannot. */
  replaceAll(): void {
    this.#replace(0);
  }

  /** Counts the oldest `count` lines as released. Returns how many of them were in no file. */
  release(count: number): number {
    let left = count;
    for (const segment of this.#segments) {
      const counted = Math.min(left, segment.waiting);
      segment.waiting -= counted;
      left -= counted;
    }
    return left;
  }

  /** Removes the files whose lines are all released, except the newest: it is written to. */
  removeReleased(): void {
    while (this.#segments.length > 1 && this.#segments[0]?.waiting === 0)
      this.#segments.shift()?.file.remove();
  }

  /** Closes the files with lines that wait, and the newest if `keepsNewest`; removes the others. */
  close(keepsNewest: boolean): void {
    const newest = this.#segments.at(-1);
    for (const segment of this.#segments) {
      if (segment.waiting > 0 || (segment === newest && keepsNewest)) segment.file.close();
      else segment.file.remove();
    }
  }

  /** The segment that takes the next line. Throws if there is none. */
  #newest(): Segment {
    const newest = this.#segments.at(-1);
    if (!newest || newest.isGone) throw new Error(`no file could be made in ${this.#directory}`);
    if (newest.file.length < this.#limit) return newest;
    try {
      const count = this.#segments.length;
      return this.#replace(this.#isSparse(newest) ? count - 1 : count);
    } catch (error) {
      if (newest.file.length >= MAX_OVERDUE * this.#limit) throw error;
      return newest;
    }
  }

  /** Whether more than half of the newest segment is released or superseded: the rest moves to the next one. */
  #isSparse({ waiting, file }: Segment): boolean {
    const lines = waiting === 0 ? [] : this.#waiting().slice(-waiting);
    const bytes = lines.reduce((total, line) => total + Buffer.byteLength(line), 0);
    return 2 * bytes < file.length;
  }

  /**
   * Begins a segment in place of those from index `from` on: with what waits in them and the calls in flight. The old
   * files are removed after it is written. Throws, and changes nothing, if it cannot be.
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
