import { rmSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Mounts a disk of so many megabytes; `undefined` where that is not allowed. Unmounted at its disposal. */
export function smallDisk(megabytes: number): ReturnType<typeof temporaryDirectory> | undefined {
  const directory = temporaryDirectory();
  const mount = ["mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", directory.path];
  const refusal = refusalOf(mount);
  if (refusal === undefined) {
    return {
      path: directory.path,
      file: (name) => join(directory.path, name),
      [Symbol.dispose]: () => {
        Bun.spawnSync(["umount", "-l", directory.path]);
        directory[Symbol.dispose]();
      },
    };
  }
  console.warn(`SKIPPED: tests on a full disk, which need root on Linux: ${refusal}`);
  rmSync(directory.path, { recursive: true });
  return undefined;
}

/** Why a mount is not possible; `undefined` after a mount. */
function refusalOf(mount: readonly string[]): string | undefined {
  if (process.platform !== "linux") return `this is ${process.platform}`;
  if (Bun.which("mount") === null) return "there is no mount command";
  const { exitCode, stderr } = Bun.spawnSync([...mount]);
  return exitCode === 0 ? undefined : stderr.toString().trim();
}
