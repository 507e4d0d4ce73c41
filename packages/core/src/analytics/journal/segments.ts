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

/** Bytes read at once. */
const CHUNK_BYTES = 262_144;

/** A longer line is passed over without being held in memory, in bytes: the queue holds no longer one by default. */
const MAX_LINE_BYTES = 67_108_864;

const LINE_END = 0x0a;

/** How the line of a record begins. */
const RECORD_START = '{"kind":"';

/** Places in a damaged line where a whole one is looked for. */
const MAX_TRIES = 16;

/** The segments of all recorders of a database, in the order in which each recorder wrote its own. */
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

/** The recorders of a database, living or dead, that have a lock or a segment. */
export function listRecorders(databasePath: string): readonly string[] {
  const names = entries(journalDirectory(databasePath)).map(({ name }) => name);
  return [...new Set(names.flatMap((name) => (SEGMENT.exec(name) ?? LOCK.exec(name))?.[1] ?? []))];
}

/** The lock that is held while the journal of a dead recorder is taken in: by one process at a time. */
export function recoveryLock(databasePath: string): string {
  return join(journalDirectory(databasePath), "recovery.lock");
}

function entries(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
  } catch {
    // No recorder has written here yet, or the directory cannot be read: then nothing was written there either.
    return [];
  }
}

/** A line of a segment: its record, or why it has none. */
export type SegmentLine =
  | { readonly record: TelemetryRecord; readonly length: number }
  | { readonly error: unknown };

/**
 * Reads the records of a segment, each line on its own, a few hundred kilobytes at a time.
 *
 * A last line without its end was never accepted: it counts if it is whole, else it is no error.
 * @throws If a newer Toolmeter wrote the file: it is for that one to read.
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

/** The whole line that follows a damaged one without its end, if there is one. */
function salvage(text: string): readonly SegmentLine[] {
  let start = text.indexOf(RECORD_START, 1);
  for (let tries = 0; start > 0 && tries < MAX_TRIES; tries += 1) {
    try {
      // What a payload holds is none: behind it comes more than a line's end.
      return [{ record: decode(text.slice(start)), length: text.length - start }];
    } catch {
      start = text.indexOf(RECORD_START, start + 1);
    }
  }
  return [];
}

function assertReadable(firstLine: string, path: string): void {
  if (headerVersion(firstLine) <= JOURNAL_HEADER.version) return;
  throw new Error(`a newer Toolmeter wrote ${path}; update Toolmeter`);
}

/** The version in a segment's first line; 0 if the line is something else. */
function headerVersion(text: string): number {
  const [, version] = /^\{"format":"toolmeter-journal","version":(\d+)\}$/.exec(text) ?? [];
  return Number(version ?? 0);
}

interface RawLine {
  /** Without its end, valid until the next line is asked for; `undefined` if it is too long. */
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
    // A copy: the next chunk takes the place of this one.
    if (start < chunk.length) add(Buffer.from(chunk.subarray(start)));
  }
  if (length > 0) yield take(false);
}

/** Each chunk is valid until the next one is asked for. */
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
