import type { Statement } from "./source.ts";

/**
 * Name patterns. `*` matches any number of characters, including `/` and line breaks; `?` matches one character (a code
 * point). Every other character, including `[` and `^`, matches itself. Matching is case-sensitive.
 *
 * One of several patterns must match. An empty list matches everything; otherwise a missing name matches nothing. The
 * SQL and the JavaScript below agree; `pattern.test.ts` compares them.
 */
export type Patterns = readonly string[] | undefined;

const WILDCARD = /[*?]/;

/** Returns the SQL condition that the name in `column` matches; none without patterns. */
export function patternConditions(column: string, patterns: Patterns = []): readonly Statement[] {
  if (patterns.length === 0) return [];
  const tests = patterns.map((text) => `${column} ${WILDCARD.test(text) ? "glob" : "="} ?`);
  return [{ sql: `(${tests.join(" or ")})`, values: patterns.map(toOperand) }];
}

/** Escapes `[`, which GLOB would read as the start of a set. */
function toOperand(text: string): string {
  return WILDCARD.test(text) ? text.replaceAll("[", "[[]") : text;
}

/** Whether a name matches; for rows that SQL cannot filter. */
export function matchesPatterns(name: string | null, patterns: Patterns = []): boolean {
  if (patterns.length === 0) return true;
  return name !== null && patterns.some((text) => matchesPattern(name, text));
}

/**
 * Searches each part between two `*` after the previous one. The first match leaves the most room for the others, so no
 * backtracking is needed.
 */
function matchesPattern(name: string, pattern: string): boolean {
  if (!WILDCARD.test(pattern)) return name.toWellFormed() === pattern.toWellFormed();
  const characters = Array.from(asGlobReads(name));
  const [first = [], ...others] = asGlobReads(pattern)
    .split("*")
    .map((part) => Array.from(part));
  const last = others.pop();
  if (!fits(characters, 0, first)) return false;
  if (last === undefined) return characters.length === first.length;
  let start = first.length;
  for (const part of others) {
    while (start + part.length <= characters.length && !fits(characters, start, part)) start += 1;
    start += part.length;
  }
  const end = characters.length - last.length;
  return start <= end && fits(characters, end, last);
}

/** Converts a text to what GLOB reads: it ends at NUL, and SQLite stores no lone surrogates. */
function asGlobReads(text: string): string {
  return text.toWellFormed().replace(/\0.*/s, "");
}

function fits(characters: readonly string[], start: number, part: readonly string[]): boolean {
  if (start + part.length > characters.length) return false;
  return part.every((wanted, index) => wanted === "?" || wanted === characters[start + index]);
}
