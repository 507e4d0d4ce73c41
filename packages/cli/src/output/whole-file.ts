import { randomUUID } from "node:crypto";
import { closeSync, fchmodSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { access, constants, open, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { constants as system } from "node:os";
import { dirname, join, resolve } from "node:path";
import { CommandError } from "../failures/command-error.ts";
import { describeSystemError } from "../failures/system-error.ts";

/** Writes all of it, or throws. */
export type Write = (bytes: string | Uint8Array) => void;

/** Exports may hold payloads: like the database, a new file is for its owner alone. */
const NEW_FILE_MODE = 0o600;

const SIGNALS = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

/**
 * Writes a file that appears under its name only when all of it is on the disk. Until then, and after a failure or
 * SIGINT, SIGTERM or SIGHUP, what had that name is unchanged.
 *
 * A new file has mode 0600. One that is replaced keeps its mode, and has to be writable. A symbolic link stays, and the
 * file it points to is replaced. A device or FIFO is written to directly.
 * @param produce Gives up control now and then, so that signals are handled.
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
        `Expected to write a file, but ${path} is a directory. Name a file in it, such as ${join(path, "calls.jsonl")}.`,
      );
    }
    if (existing && !existing.isFile()) await writeInto(target, produce);
    else await replace(target, existing?.mode, produce);
  } catch (error) {
    const failure = describeSystemError(error, `Expected to write ${path}`);
    throw failure === undefined ? error : new CommandError(failure);
  }
}

/** The path that the symbolic links of a path lead to; nothing need be there. */
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
  // In the same directory, so that the rename is one step.
  const part = `${target}.${randomUUID()}.part`;
  const stopListening = onSignal(() => rmSync(part, { force: true }));
  try {
    const length = await writePart(part, mode, produce);
    const { size } = await stat(part);
    if (size !== length) {
      throw new CommandError(
        `Expected to write ${length} bytes to ${target}, but ${size} arrived. Try again, or choose another disk.`,
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

/** Returns the number of bytes. */
async function writePart(
  part: string,
  mode: number | undefined,
  produce: (write: Write) => Promise<void>,
): Promise<number> {
  // In one step with the signals: a file that a thread makes could come after one.
  const fd = openSync(part, "wx", NEW_FILE_MODE);
  let length = 0;
  try {
    if (mode !== undefined) fchmodSync(fd, mode & 0o777);
    await produce((bytes) => {
      length += writeAll(fd, bytes);
    });
    // Some file systems report only now that there was no room.
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return length;
}

/** Returns the number of bytes. */
function writeAll(fd: number, content: string | Uint8Array): number {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  // A write may take only a part, on a disk that is almost full for one.
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  return bytes.length;
}

/** Runs a last step when a signal ends the process. Returns how to leave it off. */
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
