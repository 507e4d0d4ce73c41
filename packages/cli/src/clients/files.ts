import { constants, existsSync, statSync } from "node:fs";
import {
  type FileHandle,
  access,
  copyFile,
  open,
  readFile,
  realpath,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { CommandError } from "../failures/command-error.ts";

/** Longest wait for other processes that change the same file, in milliseconds. */
const WAIT_MS = 5_000;

/** Age, in milliseconds, above which a part file is considered left behind by a killed process. */
const STALE_MS = 30_000;

/** Returns the existing configuration files of a client, or only the named one. Throws if none exists. */
export function findFiles(
  title: string,
  files: readonly string[],
  named: string | undefined,
): readonly string[] {
  const found = (named === undefined ? files : [named]).filter((file) => existsSync(file));
  if (found.length > 0) return found;
  throw new CommandError(
    named === undefined
      ? `Expected a configuration file of ${title}, but none exists at ${files.join(", ")}. Name it: --config <file>`
      : `Expected a configuration file of ${title}, but ${named} does not exist. Name an existing file: --config <file>`,
  );
}

/**
 * Reads the text of a file, including its byte order mark.
 * @throws CommandError if it is not a regular file, is not readable, or is not UTF-8.
 */
export function readText(file: string): Promise<string> {
  return explained(file, async () => {
    // Reading from a pipe could wait forever.
    if (!(await stat(file)).isFile()) {
      throw new CommandError(
        `Expected a regular file, but ${file} is not one. Name the configuration file: --config <file>`,
      );
    }
    const bytes = await readFile(file);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new CommandError(
        `Expected text in UTF-8, but ${file} is in another encoding. Save it as UTF-8; nothing was changed.`,
      );
    }
  });
}

/**
 * Changes the text of a file atomically, one process at a time. Symbolic links are kept, as are owner and permissions.
 * @returns The path of the backup; `undefined` if `change` changes nothing.
 * @throws CommandError if the file cannot be changed; it then stays unchanged.
 */
export async function changeText(
  file: string,
  change: (text: string) => string,
): Promise<string | undefined> {
  const first = await readText(file);
  if (change(first) === first) return undefined;
  return explained(file, async () => {
    const target = await realpath(file);
    const { mode, uid, gid } = await stat(target);
    if ((mode & 0o222) === 0) {
      throw new CommandError(
        `Expected to change ${file}, but it is read-only. Make it writable (chmod u+w ${Bun.$.escape(target)}), or change its source; nothing was changed.`,
      );
    }
    await access(target, constants.W_OK);
    const part = `${target}.toolmeter.part`;
    await using handle = await openAlone(part, file);
    try {
      const before = await readText(target);
      const after = change(before);
      if (after === before) return undefined;
      await handle.writeFile(after);
      // A file that root creates belongs to root, so restore its owner.
      if (process.getuid?.() === 0) await handle.chown(uid, gid);
      await handle.chmod(mode & 0o7777);
      await handle.sync();
      const backup = `${target}.${new Date().toISOString().replaceAll(/[:.]/g, "-")}.backup`;
      await copyFile(target, backup, constants.COPYFILE_EXCL);
      if ((await readText(target)) !== before) {
        throw new CommandError(
          `Expected ${file} to stay unchanged meanwhile, but its client or an editor changed it. Try again.`,
        );
      }
      await rename(part, target);
      return backup;
    } finally {
      await rm(part, { force: true });
    }
  });
}

/** Creates a file that must not exist. Only one process at a time succeeds; the others wait. */
async function openAlone(part: string, file: string): Promise<FileHandle> {
  const deadline = performance.now() + WAIT_MS;
  while (performance.now() < deadline) {
    try {
      return await open(part, "wx", 0o600);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    const modifiedAt = statSync(part, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - modifiedAt > STALE_MS) await rm(part, { force: true });
    else await Bun.sleep(10);
  }
  throw new CommandError(
    `Expected to change ${file}, but another process is changing it. Try again, or remove ${part} if there is no such process.`,
  );
}

/** Converts system errors to a CommandError that explains them. */
async function explained<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const code = codeOf(error) ?? String(error);
    throw new CommandError(
      `Expected to read and change ${file}, but the system refused (${code}). Check the permissions of the file and its directory, and the free disk space; nothing was changed.`,
    );
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
