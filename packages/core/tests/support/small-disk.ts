import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A disk of some megabytes, where the system allows to mount one: on Linux, for root. */
export function smallDisk(megabytes: number, options = "") {
  const path = mkdtempSync(join(tmpdir(), "toolmeter-disk-"));
  const mount = ["mount", "-t", "tmpfs", "-o", `size=${megabytes}m,${options}`, "tmpfs", path];
  const refusal = refusalOf(mount);
  const isMounted = refusal === undefined;
  if (!isMounted)
    console.warn(`SKIPPED: tests on a full disk, which need root on Linux: ${refusal}`);
  return {
    path,
    isMounted,
    [Symbol.dispose]: () => {
      if (isMounted) Bun.spawnSync(["umount", "-l", path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Why a mount is not possible; `undefined` after a mount. */
function refusalOf(mount: readonly string[]): string | undefined {
  if (process.platform !== "linux") return `this is ${process.platform}`;
  if (Bun.which("mount") === null) return "there is no mount command";
  const { exitCode, stderr } = Bun.spawnSync([...mount]);
  return exitCode === 0 ? undefined : stderr.toString().trim();
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
