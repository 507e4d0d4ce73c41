import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type TelemetryRecord, decode } from "../records/record.ts";
import { listSegments } from "./segments.ts";

interface Followed {
  offset: number;
  /** The beginning of a line whose end is still to be written. */
  rest: Buffer;
}

/** A record that some recorder has journalled. */
export interface JournalledRecord {
  readonly recorderId: string;
  readonly record: TelemetryRecord;
}

/**
 * Reads what the recorders of a database journal, as they do: calls when they start (as `abandoned`, which is what they
 * are if nothing follows) and when they end, before they are in the database. A record may come more than once, with
 * the same id.
 */
export class JournalFollower {
  readonly #databasePath: string;
  #files = new Map<string, Followed>();

  constructor(databasePath: string) {
    this.#databasePath = databasePath;
  }

  /** What was written since the last time. What is no record is passed over. */
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
    // Removed meanwhile: what it held is in the database.
    return Buffer.alloc(0);
  }
}

function tryDecode(line: string): TelemetryRecord | undefined {
  try {
    return decode(line);
  } catch {
    // The header, or a line that recovery will set aside.
    return undefined;
  }
}
