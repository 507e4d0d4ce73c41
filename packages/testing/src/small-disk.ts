import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./temporary-directory.ts";
import { unless } from "./unless.ts";

/**
 * Mounts a disk of this many megabytes in a temporary directory. With `using disk = …`, unmounts it at the end of the
 * block. Where mounting is not allowed, `isMounted` is false, and a warning states why tests are skipped.
 * @param options More options for `mount -t tmpfs`.
 */
export function smallDisk(megabytes: number, options = "") {
  const directory = temporaryDirectory();
  const { path } = directory;
  const mount = ["mount", "-t", "tmpfs", "-o", `size=${megabytes}m,${options}`, "tmpfs", path];
  const refusal = refusalOf(mount);
  const isMounted = refusal === undefined;
  unless(isMounted, `tests on a full disk, which need root on Linux: ${refusal}`);
  return {
    path,
    file: (name: string) => join(path, name),
    isMounted,
    [Symbol.dispose]: () => {
      if (isMounted) Bun.spawnSync(["umount", "-l", path]);
      directory[Symbol.dispose]();
    },
  };
}

/** Mounts. Returns why that is not possible, or `undefined`. */
function refusalOf(mount: readonly string[]): string | undefined {
  if (process.platform !== "linux") return `this is ${process.platform}`;
  if (Bun.which("mount") === null) return "there is no mount command";
  const { exitCode, stderr } = Bun.spawnSync([...mount]);
  return exitCode === 0 ? undefined : stderr.toString().trim();
}

/** Fills the disk of a directory, until the end of the block or `free()`. */
export function fillUp(directory: string) {
  const filler = join(directory, "filler");
  for (let size = 1 << 20; size >= 1; size >>= 1) {
    try {
      writeFileSync(filler, Buffer.alloc(size), { flag: "a" });
      size <<= 1;
    } catch {
      // No room for this much. Try half.
    }
  }
  const free = () => rmSync(filler, { force: true });
  return { free, [Symbol.dispose]: free };
}
