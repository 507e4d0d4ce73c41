import { randomUUID } from "node:crypto";
import { closeSync, fchmodSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { access, constants, open, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { constants as system } from "node:os";
import { dirname, join, resolve } from "node:path";
import { CommandError } from "../failures/command-error.ts";
import { describeSystemError } from "../failures/system-error.ts";

/** Writes all bytes, or throws. */
export type Write = (bytes: string | Uint8Array) => void;

/** Exports may contain payloads, so only the owner can read a new file, like the database. */
const NEW_FILE_MODE = 0o600;

const SIGNALS = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

/**
 * Writes a file that appears under its name only when it is completely on the disk. Until then, and after a failure or
 * SIGINT, SIGTERM or SIGHUP, an existing file stays unchanged.
 *
 * A new file has mode 0600. A replaced file must be writable and keeps its mode. A symbolic link stays, and its target
 * is replaced. A device or FIFO is written to directly.
 * @param produce Writes the content. It must yield to the event loop regularly, so that signals are handled.
 * @throws CommandError
 */
export async function writeWholeFile(
  path: string,
  produce: (write: Write) => Promise<void>,
): Promise<void> {
  try {
    const target = await followLinks(resolve(path));
    const existing = await stat(target).catch(() => undefined);
    if (existing?.isDirectory()) {
      throw new CommandError(
        `Expected a file, got the directory ${path}. Name a file in it, such as ${join(path, "calls.jsonl")}.`,
      );
    }
    if (existing && !existing.isFile()) await writeInto(target, produce);
    else await replace(target, existing?.mode, produce);
  } catch (error) {
    const failure = describeSystemError(error, `Expected to write ${path}`);
    throw failure === undefined ? error : new CommandError(failure);
  }
}

/** Resolves the symbolic links of a path, whose target need not exist. */
async function followLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const link = await readlink(path).catch(() => undefined);
  return link === undefined ? path : followLinks(resolve(await realpath(dirname(path)), link));
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

async function writeInto(path: string, produce: (write: Write) => Promise<void>): Promise<void> {
  const handle = await open(path, "w");
  try {
    await produce((bytes) => void writeAll(handle.fd, bytes));
  } finally {
    await handle.close();
  }
}

async function replace(
  target: string,
  mode: number | undefined,
  produce: (write: Write) => Promise<void>,
): Promise<void> {
  if (mode !== undefined) await access(target, constants.W_OK);
  // In the same directory, so that the rename is atomic.
  const part = `${target}.${randomUUID()}.part`;
  const stopListening = onSignal(() => rmSync(part, { force: true }));
  try {
    const length = await writePart(part, mode, produce);
    const { size } = await stat(part);
    if (size !== length) {
      throw new CommandError(
        `Expected to write ${length} bytes to ${target}, but only ${size} were written. Try again, or choose another disk.`,
      );
    }
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    stopListening();
  }
}

/** Writes the part file and returns its length in bytes. */
async function writePart(
  part: string,
  mode: number | undefined,
  produce: (write: Write) => Promise<void>,
): Promise<number> {
  // Opened synchronously: a file that is opened in another thread could appear after a signal was handled.
  const fd = openSync(part, "wx", NEW_FILE_MODE);
  let length = 0;
  try {
    if (mode !== undefined) fchmodSync(fd, mode & 0o777);
    await produce((bytes) => {
      length += writeAll(fd, bytes);
    });
    // Some file systems report a full disk only here.
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return length;
}

/** Writes all of the content and returns its length in bytes. */
function writeAll(fd: number, content: string | Uint8Array): number {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  // One write may accept only a part, for example on a nearly full disk.
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  return bytes.length;
}

/** Runs a step when a signal ends the process. Returns a function that removes the listeners. */
function onSignal(step: () => void): () => void {
  const listener = (signal: NodeJS.Signals) => {
    step();
    process.exit(128 + system.signals[signal]);
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return () => {
    for (const signal of SIGNALS) process.off(signal, listener);
  };
}
