import { chownSync } from "node:fs";

/** The user without rights, by tradition. */
export const NOBODY = 65_534;

/** Makes the user that `programs/open.ts` runs as the owner of files: nobody for root, else whoever runs the tests. */
export function giveToNobody(...paths: readonly string[]): void {
  if (process.getuid?.() !== 0) return;
  for (const path of paths) chownSync(path, NOBODY, NOBODY);
}
