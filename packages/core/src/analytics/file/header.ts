import { readSync, writeSync } from "node:fs";
import { holdOpen } from "./identity.ts";
import { APPLICATION_ID } from "./migrations.ts";

/** The fields that Toolmeter reads from the header of a database file. */
export interface FileHeader {
  /** Whether Toolmeter created the file, according to its `application_id`. */
  readonly isOurs: boolean;
  /** The expected length of the file in bytes; 0 if the header does not contain it. */
  readonly length: number;
}

const LENGTH = 100;
const MAGIC = "SQLite format 3\0";
const VERSIONS_OFFSET = 18;
const WAL_VERSION = 2;

/**
 * Reads the header of a file without SQLite and its locks (https://sqlite.org/fileformat.html#the_database_header).
 * Returns `undefined` if the file is not an SQLite database.
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

/** Sets WAL mode in the header of a file, from which each new connection reads its mode. */
export function markWalMode(file: string): void {
  const versions = new Uint8Array([WAL_VERSION, WAL_VERSION]);
  writeSync(holdOpen(file, "r+"), versions, 0, versions.length, VERSIONS_OFFSET);
}
