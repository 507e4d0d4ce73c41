import { existsSync, readdirSync } from "node:fs";

const DIRECTORY = "/proc/self/fd";

/** Whether this system tells which files a process has open. */
export const TELLS_DESCRIPTORS = existsSync(DIRECTORY);

if (!TELLS_DESCRIPTORS)
  console.warn(`SKIPPED: descriptors are not counted, because there is no ${DIRECTORY}.`);

/** How many files this process has open. */
export function descriptors(): number {
  return readdirSync(DIRECTORY).length;
}
