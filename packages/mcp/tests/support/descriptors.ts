import { existsSync, readdirSync } from "node:fs";
import { unless } from "@toolmeter/testing/unless";

const DIRECTORY = "/proc/self/fd";

/** Whether this system lists which files a process has open. */
export const LISTS_DESCRIPTORS = !unless(
  existsSync(DIRECTORY),
  `counting open files, which needs ${DIRECTORY}`,
);

/** How many files this process has open. */
export function descriptors(): number {
  return readdirSync(DIRECTORY).length;
}
