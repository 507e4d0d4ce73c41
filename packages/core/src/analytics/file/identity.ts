import { type BigIntStats, fstatSync, openSync, statSync } from "node:fs";

/** Returns the `stat` of a file; `undefined` if it does not exist or cannot be reached. */
export function statFile(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Identifies a file uniquely, even if a later file reuses the inode number of a removed one. */
export function identityOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${birthtimeNs}`;
}

/** Fingerprint of a file's content: it changes with each write. */
export function contentOf({ size, mtimeNs }: BigIntStats): string {
  return `${size}:${mtimeNs}`;
}

const held = new Map<string, number>();

/**
 * Opens a file that SQLite may also have open, and never closes it: closing any descriptor of a file drops all POSIX
 * locks that the process holds on it. Each file is opened once.
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
