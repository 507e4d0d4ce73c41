import { statSync } from "node:fs";

/** Equal for all the names of a file; `undefined` for none. */
export function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
