import { type BigIntStats, statSync } from "node:fs";

/** What the system says of a file; undefined if there is none, or it cannot be reached. */
export function statFile(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Tells a file from all others, also from a later one that gets the inode number of a removed file. */
export function identityOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${birthtimeNs}`;
}

/** Tells whether a file was written to. */
export function contentOf({ size, mtimeNs }: BigIntStats): string {
  return `${size}:${mtimeNs}`;
}
