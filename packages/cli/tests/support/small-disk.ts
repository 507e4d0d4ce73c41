import { rmSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Mounts a disk of so many megabytes; `undefined` where that is not allowed. Unmounted at its disposal. */
export function smallDisk(megabytes: number): ReturnType<typeof temporaryDirectory> | undefined {
  const directory = temporaryDirectory();
  const mount = ["mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", directory.path];
  if (process.platform === "linux" && Bun.spawnSync(mount).exitCode === 0) {
    return {
      path: directory.path,
      file: (name) => join(directory.path, name),
      [Symbol.dispose]: () => {
        Bun.spawnSync(["umount", "-l", directory.path]);
        directory[Symbol.dispose]();
      },
    };
  }
  rmSync(directory.path, { recursive: true });
  return undefined;
}
