import { statSync } from "node:fs";

/** Returns a text that is equal for all names of a file; `undefined` if there is no file. */
export function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
