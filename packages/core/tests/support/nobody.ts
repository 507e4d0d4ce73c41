import { lchownSync } from "node:fs";

/** The user without rights, by tradition. */
const NOBODY = 65_534;

/** Makes the user of `becomeNobody()` the owner of files. */
export function giveToNobody(...paths: readonly string[]): void {
  if (process.getuid?.() !== 0) return;
  for (const path of paths) lchownSync(path, NOBODY, NOBODY);
}

/**
 * Gives up root's rights, which open any file: root becomes nobody, anybody else stays who they are. Comes after all
 * imports: nobody may not be allowed to read them.
 */
export function becomeNobody(): void {
  if (process.getuid?.() !== 0) return;
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}
