import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type TelemetryRecord, decode } from "../records/record.ts";
import { listSegments } from "./segments.ts";

interface Followed {
  offset: number;
  /** The beginning of an incomplete last line. */
  rest: Buffer;
}

/** A record from a recorder's journal. */
export interface JournalledRecord {
  readonly recorderId: string;
  readonly record: TelemetryRecord;
}

/**
 * Reads the records of all recorders from their journals, before they are in the database. A call appears when it
 * starts (as `abandoned`, its status if nothing follows) and when it ends. The same record, with the same id, may
 * appear more than once.
 */
export class JournalFollower {
  readonly #databasePath: string;
  #files = new Map<string, Followed>();

  constructor(databasePath: string) {
    this.#databasePath = databasePath;
  }

  /** Returns the records written since the last call. Skips lines that are not records. */
  poll(): readonly JournalledRecord[] {
    const segments = listSegments(this.#databasePath);
    const files = new Map<string, Followed>();
    const records: JournalledRecord[] = [];
    for (const { path, recorderId } of segments) {
      const followed = this.#files.get(path) ?? { offset: 0, rest: Buffer.alloc(0) };
      files.set(path, followed);
      for (const line of readLines(path, followed)) {
        const record = tryDecode(line);
        if (record) records.push({ recorderId, record });
      }
    }
    this.#files = files;
    return records;
  }
}

function readLines(path: string, followed: Followed): readonly string[] {
  const bytes = Buffer.concat([followed.rest, readFrom(path, followed)]);
  const end = bytes.lastIndexOf(0x0a) + 1;
  followed.rest = Buffer.from(bytes.subarray(end));
  return bytes.subarray(0, end).toString().split("\n").slice(0, -1);
}

function readFrom(path: string, followed: Followed): Buffer {
  try {
    const descriptor = openSync(path, "r");
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(descriptor).size - followed.offset));
      const count = readSync(descriptor, bytes, 0, bytes.length, followed.offset);
      followed.offset += count;
      return bytes.subarray(0, count);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // The file was removed meanwhile; its records are in the database.
    return Buffer.alloc(0);
  }
}

function tryDecode(line: string): TelemetryRecord | undefined {
  try {
    return decode(line);
  } catch {
    // The header, or a damaged line, which recovery handles.
    return undefined;
  }
}
