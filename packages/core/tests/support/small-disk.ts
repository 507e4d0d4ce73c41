import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A disk of some megabytes, where the system allows to mount one: on Linux, for root. */
export function smallDisk(megabytes: number, options = "") {
  const path = mkdtempSync(join(tmpdir(), "toolmeter-disk-"));
  const mount = ["mount", "-t", "tmpfs", "-o", `size=${megabytes}m,${options}`, "tmpfs", path];
  const isMounted = process.platform === "linux" && Bun.spawnSync(mount).exitCode === 0;
  return {
    path,
    isMounted,
    [Symbol.dispose]: () => {
      if (isMounted) Bun.spawnSync(["umount", "-l", path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Takes all the room that is left in a directory, until the end of the block or `free()`. */
export function fillUp(directory: string) {
  const filler = join(directory, "filler");
  for (let size = 1 << 20; size >= 1; size >>= 1) {
    try {
      writeFileSync(filler, Buffer.alloc(size), { flag: "a" });
      size <<= 1;
    } catch {
      // No room for so much; perhaps for half.
    }
  }
  const free = () => rmSync(filler, { force: true });
  return { free, [Symbol.dispose]: free };
}
