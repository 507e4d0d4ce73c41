import { type BigIntStats, fstatSync, openSync, statSync } from "node:fs";

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

const held = new Map<string, number>();

/**
 * Opens a file that SQLite may have open too, and never closes it: with any descriptor that is closed, POSIX drops all
 * locks of the process on the file. Each file is opened once.
 */
export function holdOpen(path: string, flags: "r" | "r+"): number {
  const known = held.get(holdKey(statSync(path, { bigint: true }), flags));
  if (known !== undefined) return known;
  const descriptor = openSync(path, flags);
  held.set(holdKey(fstatSync(descriptor, { bigint: true }), flags), descriptor);
  return descriptor;
}

function holdKey(found: BigIntStats, flags: string): string {
  return `${identityOf(found)}:${flags}`;
}
