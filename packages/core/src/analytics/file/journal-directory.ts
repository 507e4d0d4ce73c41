import { canonicalPath } from "./canonical-path.ts";

/** The directory of the journals of a database's recorders: the same for every name of the file. */
export function journalDirectory(databasePath: string): string {
  return `${canonicalPath(databasePath)}.journal`;
}

export function lockName(recorderId: string): string {
  return `${recorderId}.lock`;
}
