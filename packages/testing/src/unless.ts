/**
 * Returns whether to skip tests, for `skipIf`. Warns if it does, because a skipped test looks like one that passed.
 * @param needs What the tests check, and what they need for it.
 */
export function unless(isPossible: boolean, needs: string): boolean {
  if (!isPossible) console.warn(`SKIPPED: ${needs}`);
  return !isPossible;
}
