import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { matchesPatterns, patternConditions } from "../../../../src/analytics/queries/pattern.ts";
import { contextTax } from "../../../../src/analytics/queries/context-tax.ts";
import { transitions } from "../../../../src/analytics/queries/transitions.ts";
import { usage } from "../../../../src/analytics/queries/usage.ts";
import { ledger } from "../../../support/ledger.ts";

const db = new Database(":memory:", { strict: true });
afterAll(() => db.close());

/** Real SQLite's answer. */
function inSql(name: string | null, patterns: readonly string[]): boolean {
  const [condition = { sql: "true", values: [] }] = patternConditions("name", patterns);
  const sql = `select count(*) from (select ? as name) where ${condition.sql}`;
  return db.query(sql).values(name, ...condition.values)[0]?.[0] === 1;
}

describe("a pattern means the same in SQL and in JavaScript:", () => {
  test.each<[string, string, string | null, boolean]>([
    ["* takes in /", "*", "files/read", true],
    ["* takes in a scope", "*memory", "@scope/server-memory", true],
    ["* takes in line ends", "a*b", "a\n\r\u2028b", true],
    ["* takes in nothing", "a*", "a", true],
    ["parts do not overlap", "ab*ba", "aba", false],
    ["parts between stars keep their order", "*b*a*", "ab", false],
    ["the last part is at the end", "*ab", "abab", true],
    ["? is one character", "a?c", "a/c", true],
    ["? is one character of any length", "?", "😀", true],
    ["? is not none", "a?", "a", false],
    ["? alone is held to the end", "a?", "abc", false],
    ["a name without wildcards is exact", "files", "files/read", false],
    ["case counts", "READ*", "read", false],
    ["[ is itself", "get[0]*", "get[0]", true],
    ["[ begins no set", "get[0]*", "get0", false],
    ["] is itself", "a]*", "a]", true],
    ["^ and ! are themselves", "[^!a]?", "[^!a]b", true],
    ["{ is itself", "{a,b}*", "a", false],
    ["a range is itself", "[a-z]*", "b", false],
    ["a backslash is itself", "a\\*", "a\\b", true],
    ["empty is exact", "", "", true],
    ["empty is no wildcard", "", "a", false],
    ["a missing name matches nothing", "*", null, false],
  ])("%s", (_title, pattern, name, expected) => {
    expect(inSql(name, [pattern])).toBe(expected);
    expect(matchesPatterns(name, [pattern])).toBe(expected);
  });

  test("no patterns match everything", () => {
    for (const name of ["a", null]) {
      expect(inSql(name, [])).toBe(true);
      expect(matchesPatterns(name, [])).toBe(true);
      expect(matchesPatterns(name)).toBe(true);
    }
  });

  test("any patterns, any names", () => {
    const few = fc.constantFrom(
      "a",
      "b",
      "A",
      "/",
      "[",
      "]",
      "^",
      "-",
      "!",
      "{",
      "\n",
      "é",
      "😀",
      "\0",
      "\uD83D",
    );
    const wild = fc.constantFrom("*", "?", "**", "[a", "[^", "a-b", "[]]");
    const name = fc.option(fc.string({ unit: few, maxLength: 8 }));
    const pattern = fc.array(fc.oneof(few, wild), { maxLength: 7 }).map((parts) => parts.join(""));
    // A pattern made from a name matches often.
    const near = fc
      .tuple(fc.string({ unit: few, maxLength: 8 }), fc.array(fc.nat(9), { maxLength: 3 }))
      .map(([text, places]) => {
        const characters = Array.from(text);
        for (const place of places) characters[place % 8] = place % 2 === 0 ? "*" : "?";
        return [text, [characters.join("")]] as const;
      });
    const pair = fc.oneof(fc.tuple(name, fc.array(pattern, { maxLength: 3 })), near);
    fc.assert(
      fc.property(pair, ([text, patterns]) => {
        expect(matchesPatterns(text, patterns)).toBe(inSql(text, patterns));
      }),
      { numRuns: 2_000 },
    );
  });
});

test("all queries read a pattern alike", () => {
  const names = ["files/read", "files/write", "get[0]"];
  using source = ledger({
    sessions: { s: { serverName: "@scope/server-memory" } },
    definitions: names.map((name) => ({ hash: name, toolName: name })),
    calls: [...names, ...names].map((toolName) => ({ toolName, sessionId: "s" })),
  });
  source.$client.run("insert into session_definitions select 's', hash from tool_definitions");
  for (const [pattern, count] of [
    ["*", 3],
    ["files*", 2],
    ["get[0]", 1],
    ["get[*", 1],
  ] as const) {
    const filter = { tools: [pattern], servers: ["*memory"] };
    expect(usage(source, filter).tools).toHaveLength(count);
    expect(contextTax(source, filter)).toHaveLength(count);
  }
  expect(transitions(source, { tools: ["*"] })).toEqual(transitions(source, {}));
  expect(transitions(source, { tools: ["files*"] })).toHaveLength(3);
});
