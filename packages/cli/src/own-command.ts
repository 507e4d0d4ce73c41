import { devNull } from "node:os";
import { join } from "node:path";

/** The paths of files inside a binary built by `bun build --compile`. */
const COMPILED = /^(?:\/\$bunfs\/|B:[\\/]~BUN)/i;

/**
 * Without these options Bun reads `.env*`, `bunfig.toml` and `tsconfig.json` from the current directory: variables,
 * preloads, and paths that can replace any module. The binary is compiled with the equivalent options.
 */
export const ISOLATION: readonly string[] = [
  "--no-env-file",
  `--config=${devNull}`,
  `--tsconfig-override=${devNull}`,
  "--no-install",
];

/** Whether this program is a binary built by `bun build --compile`. */
export function isBinary(directory: string = import.meta.dir): boolean {
  return COMPILED.test(directory);
}

/** Returns the command that starts this program from any directory, isolated from the files there. */
export function ownCommand(directory: string = import.meta.dir): readonly string[] {
  return isBinary(directory)
    ? [process.execPath]
    : [process.execPath, ...ISOLATION, join(directory, "toolmeter.ts")];
}

/** The worker program of `sql`. Defined here, because all programs of a binary are in one directory. */
export const SQL_PROGRAM = new URL("./sql.worker.ts", import.meta.url);
