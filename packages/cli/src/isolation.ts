import { ISOLATION, isBinary, ownCommand } from "./own-command.ts";

/** The C library by its name on glibc, macOS and musl. */
const C_LIBRARIES = [
  "libc.so.6",
  "libSystem.B.dylib",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
];

/**
 * Replaces this process by an isolated one, if Bun was started without the options for it, as by
 * `bun packages/cli/src/toolmeter.ts`. The environment is then the one that Bun was started with: without the variables
 * that it read from `.env*`, and with every byte of the others.
 *
 * A preload in `bunfig.toml` has run by then, and one that cannot be loaded has ended Bun. On Windows, which cannot
 * replace a process, this one goes on.
 * @param words The command line, without the program.
 */
export async function isolate(words: readonly string[]): Promise<void> {
  if (isBinary() || ISOLATION.every((option) => process.execArgv.includes(option))) return;
  const [program = "", ...own] = ownCommand();
  await replaceProcess([program, ...process.execArgv, ...own, ...words]);
}

/**
 * Runs a program in this process's place, with its environment as it is outside of JavaScript. `process.execve` takes
 * an environment of texts only, and knows no other than `process.env`. Returns if the system has no such call.
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
      // Another system's name.
    }
  }
}
