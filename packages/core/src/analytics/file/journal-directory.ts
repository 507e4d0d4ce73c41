import { canonicalPath } from "./canonical-path.ts";

/** Returns the directory of a database's journals. It is the same for every path that leads to the file. */
export function journalDirectory(databasePath: string): string {
  return `${canonicalPath(databasePath)}.journal`;
}

export function lockName(recorderId: string): string {
  return `${recorderId}.lock`;
}
