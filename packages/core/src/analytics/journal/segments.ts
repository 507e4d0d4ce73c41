import { type Dirent, closeSync, openSync, readSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { JOURNAL_HEADER } from "./segment-files.ts";
import { journalDirectory } from "../file/journal-directory.ts";
import { type TelemetryRecord, decode } from "../records/record.ts";

/** One file of a recorder's journal. */
export interface SegmentFile {
  readonly path: string;
  readonly recorderId: string;
  readonly number: number;
}

const SEGMENT = /^([0-9a-f-]{36})-(\d+)\.jsonl$/;
const LOCK = /^([0-9a-f-]{36})\.lock$/;

/** Bytes per read. */
const CHUNK_BYTES = 262_144;

/** Longer lines are skipped without being kept in memory, in bytes. By default, the queue accepts no longer line. */
const MAX_LINE_BYTES = 67_108_864;

const LINE_END = 0x0a;

/** The beginning of each record's line. */
const RECORD_START = '{"kind":"';

/** Maximum number of positions in a damaged line at which a whole record is searched for. */
const MAX_TRIES = 16;

/** Lists the segments of all recorders of a database; those of each recorder are in the order they were written. */
export function listSegments(databasePath: string): readonly SegmentFile[] {
  const directory = journalDirectory(databasePath);
  return entries(directory)
    .flatMap(({ name }) => {
      const [, recorderId, number] = SEGMENT.exec(name) ?? [];
      if (recorderId === undefined) return [];
      return [{ path: join(directory, name), recorderId, number: Number(number) }];
    })
    .toSorted((a, b) => a.number - b.number);
}

/** Lists the recorders of a database, living or dead, that have a lock file or a segment. */
export function listRecorders(databasePath: string): readonly string[] {
  const names = entries(journalDirectory(databasePath)).map(({ name }) => name);
  return [...new Set(names.flatMap((name) => (SEGMENT.exec(name) ?? LOCK.exec(name))?.[1] ?? []))];
}

/** The path of the lock under which one process at a time imports the journal of a dead recorder. */
export function recoveryLock(databasePath: string): string {
  return join(journalDirectory(databasePath), "recovery.lock");
}

function entries(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
  } catch {
    // No recorder has written here yet, or the directory is unreadable, so that no recorder can have written there.
    return [];
  }
}

/** A line of a segment: its record, or the reason why it has none. */
export type SegmentLine =
  | { readonly record: TelemetryRecord; readonly length: number }
  | { readonly error: unknown };

/**
 * Reads the records of a segment line by line, in chunks of 256 KiB.
 *
 * A last line without a newline was never accepted: its record is returned if complete, otherwise ignored without
 * error.
 * @throws If a newer Toolmeter wrote the file; only that version can read it.
 */
export function* readSegment(path: string): Generator<SegmentLine, void> {
  let isFirst = true;
  for (const { bytes, isEnded } of readLines(path)) {
    if (!bytes) yield { error: new RangeError(`The line is longer than ${MAX_LINE_BYTES} bytes.`) };
    else {
      const text = bytes.toString().trim();
      if (isFirst) assertReadable(text, path);
      for (const line of text === "" || headerVersion(text) > 0 ? [] : toSegmentLines(text)) {
        if (isEnded || "record" in line) yield line;
      }
    }
    isFirst = false;
  }
}

function toSegmentLines(text: string): readonly SegmentLine[] {
  try {
    return [{ record: decode(text), length: text.length }];
  } catch (error) {
    return [{ error }, ...salvage(text)];
  }
}

/** Finds a whole record that follows a damaged one in the same line. */
function salvage(text: string): readonly SegmentLine[] {
  let start = text.indexOf(RECORD_START, 1);
  for (let tries = 0; start > 0 && tries < MAX_TRIES; tries += 1) {
    try {
      // Text inside a payload cannot match, because more than the end of the line follows it.
      return [{ record: decode(text.slice(start)), length: text.length - start }];
    } catch {
      start = text.indexOf(RECORD_START, start + 1);
    }
  }
  return [];
}

function assertReadable(firstLine: string, path: string): void {
  if (headerVersion(firstLine) <= JOURNAL_HEADER.version) return;
  throw new Error(`a newer Toolmeter wrote ${path}; update Toolmeter to read it`);
}

/** Returns the version in a segment's header; 0 if the line is not a header. */
function headerVersion(text: string): number {
  const [, version] = /^\{"format":"toolmeter-journal","version":(\d+)\}$/.exec(text) ?? [];
  return Number(version ?? 0);
}

interface RawLine {
  /** The line without its newline, valid until the next line is read; `undefined` if it is too long. */
  readonly bytes: Buffer | undefined;
  readonly isEnded: boolean;
}

function* readLines(path: string): Generator<RawLine, void> {
  let parts: Buffer[] = [];
  let length = 0;
  const add = (part: Buffer) => {
    length += part.length;
    if (length <= MAX_LINE_BYTES) parts.push(part);
    else parts = [];
  };
  const take = (isEnded: boolean): RawLine => {
    const [first] = parts;
    const whole = parts.length === 1 ? first : Buffer.concat(parts);
    const bytes = length <= MAX_LINE_BYTES ? whole : undefined;
    parts = [];
    length = 0;
    return { bytes, isEnded };
  };
  for (const chunk of readChunks(path)) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, start)) {
      add(chunk.subarray(start, end));
      yield take(true);
      start = end + 1;
    }
    // Copied, because the next chunk overwrites this one.
    if (start < chunk.length) add(Buffer.from(chunk.subarray(start)));
  }
  if (length > 0) yield take(false);
}

/** Yields chunks that are valid until the next one is read. */
function* readChunks(path: string): Generator<Buffer, void> {
  const descriptor = openSync(path, "r");
  try {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    for (;;) {
      const count = readSync(descriptor, chunk);
      if (count === 0) return;
      yield chunk.subarray(0, count);
    }
  } finally {
    closeSync(descriptor);
  }
}
