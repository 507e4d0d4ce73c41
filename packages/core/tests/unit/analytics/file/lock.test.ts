import { describe, expect, test } from "bun:test";
import { existsSync, renameSync, statSync } from "node:fs";
import { FileLock } from "../../../../src/analytics/file/lock.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { until } from "@toolmeter/testing/until";
import { specifier } from "../../../support/run-script.ts";

/** A process that holds a lock until it is killed. */
async function holder(path: string) {
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `import { FileLock } from ${specifier("file/lock")};
       const lock = FileLock.tryAcquire(${JSON.stringify(path)});
       console.log(lock ? "held" : "refused");
       setInterval(() => lock, 1_000);`,
    ],
    { stdout: "pipe", stderr: "inherit" },
  );
  const { value } = await child.stdout.getReader().read();
  const kill = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return { said: new TextDecoder().decode(value), kill, [Symbol.asyncDispose]: kill };
}

describe("a lock", () => {
  test("excludes others until it is released; only its owner may read the file", () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.lock");
    const lock = FileLock.tryAcquire(path);
    expect(lock).toBeDefined();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(FileLock.tryAcquire(path)).toBeUndefined();
    expect(FileLock.acquire(path, 10)).toBeUndefined();
    lock?.release();
    expect(existsSync(path)).toBe(true);
    FileLock.tryAcquire(path)?.remove();
    expect(existsSync(path)).toBe(false);
  });

  test("of another process is held while that process lives, and free when it was killed", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.lock");
    await using child = await holder(path);
    expect(child.said).toBe("held\n");
    expect(FileLock.isHeld(path)).toBe(true);
    expect(FileLock.tryAcquire(path)).toBeUndefined();
    await child.kill();
    await until(() => !FileLock.isHeld(path));
    const lock = FileLock.acquire(path, 1_000);
    expect(lock).toBeDefined();
    lock?.remove();
  });

  test("is not held where there is no file, and looking makes none", () => {
    using directory = temporaryDirectory();
    expect(FileLock.isHeld(directory.file("a.lock"))).toBe(false);
    expect(existsSync(directory.file("a.lock"))).toBe(false);
  });

  test("notices that its file was moved, and removes no other file of that name", () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.lock");
    const lost = FileLock.tryAcquire(path);
    expect(lost?.isRemoved).toBe(false);
    renameSync(path, directory.file("moved"));
    expect(lost?.isRemoved).toBe(true);
    const next = FileLock.tryAcquire(path);
    expect(next).toBeDefined();
    lost?.remove();
    expect(existsSync(path)).toBe(true);
    expect(FileLock.isHeld(path)).toBe(true);
    next?.remove();
  });
});
