import { join } from "node:path";

/** In a binary made by `bun build --compile`, files live at such a path. */
const COMPILED = /^(?:\/\$bunfs\/|B:[\\/]~BUN)/i;

/** The words that start this program again, as it was started. */
export function ownCommand(): readonly string[] {
  return COMPILED.test(import.meta.dir)
    ? [process.execPath]
    : [process.execPath, join(import.meta.dir, "toolmeter.ts")];
}
