import { join } from "node:path";

/** In a binary made by `bun build --compile`, files live at such a path. */
const COMPILED = /^(?:\/\$bunfs\/|B:[\\/]~BUN)/i;

/** The words that start this program again, as it was started. */
export function ownCommand(directory: string = import.meta.dir): readonly string[] {
  const isBinary = COMPILED.test(directory);
  return isBinary ? [process.execPath] : [process.execPath, join(directory, "toolmeter.ts")];
}

/** The thread of `sql`, as a program. Named here since all of a binary's programs lie in one directory. */
export const SQL_PROGRAM = new URL("./sql.worker.ts", import.meta.url);
