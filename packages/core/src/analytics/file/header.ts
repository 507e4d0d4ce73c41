import { readSync, writeSync } from "node:fs";
import { holdOpen } from "./identity.ts";
import { APPLICATION_ID } from "./migrations.ts";

/** What the header of a database file says. */
export interface FileHeader {
  /** Whether Toolmeter made the file, by its `application_id`. */
  readonly isOurs: boolean;
  /** What the file should be long, in bytes; 0 if the header does not tell. */
  readonly length: number;
}

const LENGTH = 100;
const MAGIC = "SQLite format 3\0";
const VERSIONS_OFFSET = 18;
const WAL_VERSION = 2;

/**
 * Reads the header of a file without SQLite and its locks (https://sqlite.org/fileformat.html#the_database_header).
 * Undefined if the file has none of SQLite's.
 */
export function readFileHeader(file: string): FileHeader | undefined {
  const header = Buffer.alloc(LENGTH);
  const length = readSync(holdOpen(file, "r"), header, 0, LENGTH, 0);
  if (length < LENGTH || header.toString("latin1", 0, MAGIC.length) !== MAGIC) return undefined;
  // 1 stands for 65,536.
  const pageSize = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  return {
    isOurs: header.readUInt32BE(68) === APPLICATION_ID,
    length: header.readUInt32BE(28) * pageSize,
  };
}

/** Writes into the header of a file that it is in WAL mode, which each new connection takes from there. */
export function markWalMode(file: string): void {
  const versions = new Uint8Array([WAL_VERSION, WAL_VERSION]);
  writeSync(holdOpen(file, "r+"), versions, 0, versions.length, VERSIONS_OFFSET);
}
