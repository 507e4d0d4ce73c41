import { type Dirent, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { JOURNAL_HEADER, journalDirectory } from "./journal.ts";
import { type TelemetryRecord, decode } from "./record.ts";

/** One file of a recorder's journal. */
export interface SegmentFile {
  readonly path: string;
  readonly recorderId: string;
  readonly number: number;
}

const SEGMENT = /^([0-9a-f-]{36})-(\d+)\.jsonl$/;

const HEADER = /^\{"format":"([^"]+)","version":(\d+)\}$/;

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

function entries(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
  } catch {
    // No recorder has written here yet, or the directory cannot be read: then nothing was written there either.
    return [];
  }
}

interface SegmentContent {
  readonly records: readonly TelemetryRecord[];
  /** One for each line that could not be read. */
  readonly errors: unknown[];
}

/** @throws If a newer Toolmeter wrote the file: it is for that one to read. */
export function readSegment(path: string): SegmentContent {
  const lines = readFileSync(path, "utf8").split("\n");
  // What follows the last line's end is nothing, or a line that its writer did not live to finish.
  lines.pop();
  const header = lines.shift();
  const records: TelemetryRecord[] = [];
  const errors: unknown[] = [];
  if (header === undefined) return { records, errors };
  if (!isJournal(header, path)) return { records, errors: [new SyntaxError("no journal of ours")] };
  for (const line of lines) {
    try {
      records.push(decode(line));
    } catch (error) {
      errors.push(error);
    }
  }
  return { records, errors };
}

function isJournal(header: string, path: string): boolean {
  const { format, version } = JOURNAL_HEADER;
  const found = HEADER.exec(header);
  if (found?.[1] !== format) return false;
  if (Number(found[2]) > version) {
    throw new Error(`a newer Toolmeter wrote ${path}; update Toolmeter`);
  }
  return true;
}
