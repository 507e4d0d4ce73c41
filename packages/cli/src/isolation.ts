import { ISOLATION, isBinary, ownCommand } from "./own-command.ts";

/** Names of the C library on glibc, macOS and musl. */
const C_LIBRARIES = [
  "libc.so.6",
  "libSystem.B.dylib",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
];

/**
 * Replaces this process with an isolated one if Bun was started without the isolation options, for example as `bun
 * packages/cli/src/toolmeter.ts`. The new process gets the environment with which Bun was started: without variables
 * from `.env*`, and byte for byte.
 *
 * A preload in `bunfig.toml` has already run by then, and one that cannot be loaded has already ended Bun. Windows
 * cannot replace a process, so there this one continues.
 * @param words The command line without the program.
 */
export async function isolate(words: readonly string[]): Promise<void> {
  if (isBinary() || ISOLATION.every((option) => process.execArgv.includes(option))) return;
  const [program = "", ...own] = ownCommand();
  await replaceProcess([program, ...process.execArgv, ...own, ...words]);
}

/**
 * Replaces this process with a program that gets the process's native environment. `process.execve` is not used,
 * because it accepts only strings and only `process.env`. Returns only if the system does not have the call.
 */
async function replaceProcess(command: readonly string[]): Promise<void> {
  if (process.platform === "win32") return;
  const { dlopen, ptr } = await import("bun:ffi");
  const strings = command.map((word) => Buffer.from(`${word}\0`));
  const [program] = strings;
  if (!program) return;
  const table = new BigUint64Array([...strings.map((each) => BigInt(ptr(each))), 0n]);
  for (const library of C_LIBRARIES) {
    try {
      const { symbols } = dlopen(library, { execv: { args: ["ptr", "ptr"], returns: "i32" } });
      symbols.execv(ptr(program), ptr(table));
    } catch {
      // The name of another system's library.
    }
  }
}
