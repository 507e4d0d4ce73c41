import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/**
 * The path of a file without symbolic links. SQLite keeps the write-ahead log, and Toolmeter the journals, beside the
 * file itself, whatever name it was opened by. The file and its directories need not exist. Where a link cannot be
 * followed, the absolute path: to open it says why.
 */
export function canonicalPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch (error) {
    return isMissing(error) ? canonicalMissingPath(absolute) : absolute;
  }
}

/** The file, or the one a dangling link names, will be made there. */
function canonicalMissingPath(absolute: string): string {
  if (lstatSync(absolute, { throwIfNoEntry: false })?.isSymbolicLink())
    return canonicalPath(resolve(dirname(absolute), readlinkSync(absolute)));
  const directory = dirname(absolute);
  return directory === absolute ? absolute : join(canonicalPath(directory), basename(absolute));
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
