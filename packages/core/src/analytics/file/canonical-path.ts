import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/**
 * Returns the path of a file with all symbolic links resolved. SQLite keeps the write-ahead log, and Toolmeter the
 * journals, beside the real file, by whatever name it was opened. The file and its directories need not exist. Returns
 * the absolute path if a link cannot be followed; opening that path then reports the reason.
 */
export function canonicalPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch (error) {
    return isMissing(error) ? canonicalMissingPath(absolute) : absolute;
  }
}

/** The path at which the missing file, or the target of a dangling link, will be created. */
function canonicalMissingPath(absolute: string): string {
  if (lstatSync(absolute, { throwIfNoEntry: false })?.isSymbolicLink())
    return canonicalPath(resolve(dirname(absolute), readlinkSync(absolute)));
  const directory = dirname(absolute);
  return directory === absolute ? absolute : join(canonicalPath(directory), basename(absolute));
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
