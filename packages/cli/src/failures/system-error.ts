/** The meaning of system error codes (errno(3)) and their remedies. */
const MEANINGS: Record<string, readonly [reason: string, remedy: string]> = {
  EACCES: ["permission is denied", "Change the permissions, or choose another path"],
  EBADF: ["it is closed", "Leave it open, or choose another output"],
  EBUSY: ["it is in use", "Close the program that uses it, and try again"],
  EDQUOT: ["the disk quota is exceeded", "Free some space, or choose another disk"],
  EEXIST: ["it exists already", "Choose another path"],
  EFBIG: ["the file exceeds the size limit", "Choose another disk, or write less"],
  EIO: ["the device failed", "Check the disk, or choose another one"],
  EISDIR: ["it is a directory", "Name a file"],
  ELOOP: ["its symbolic links form a loop", "Choose another path"],
  EMFILE: ["this process has too many open files", "Raise the limit (ulimit -n)"],
  ENAMETOOLONG: ["the path is too long", "Choose a shorter one"],
  ENFILE: ["the system has too many open files", "Close other programs"],
  ENOENT: ["there is no such file or directory", "Check the path"],
  ENOMEM: ["no memory is left", "Close other programs"],
  ENOSPC: ["the disk is full", "Free some space, or choose another disk"],
  ENOTDIR: ["a part of the path is not a directory", "Check the path"],
  ENXIO: ["nothing is connected to it", "Choose another path"],
  EPERM: ["the operation is not permitted", "Change the permissions, or choose another path"],
  EPIPE: ["its reader has closed", "Keep the reader running"],
  EROFS: ["the file system is read-only", "Choose another path"],
};

/**
 * Describes a failed system call in a sentence: what was expected, what happened and how to solve it. Returns
 * `undefined` for other errors.
 * @param expected For example `Expected to write a.csv`. Default: derived from the call and path of the error.
 */
export function describeSystemError(error: unknown, expected?: string): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string")
    return undefined;
  const { code } = error;
  // Node's own codes are `ERR_…`.
  if (!/^E[A-Z0-9]+$/.test(code)) return undefined;
  const [reason, remedy] = MEANINGS[code] ?? [`the system refused: ${error.message}`, "Try again"];
  return `${expected ?? expectationOf(error)}, but ${reason} (${code}). ${remedy}.`;
}

function expectationOf(error: Error): string {
  const field = (name: string): unknown => Reflect.get(error, name);
  const [call, path] = [field("syscall"), field("path")];
  const verb = typeof call === "string" && /^[a-z]+$/.test(call) ? call : "use the file system";
  return `Expected to ${[verb, ...(typeof path === "string" ? [path] : [])].join(" ")}`;
}
