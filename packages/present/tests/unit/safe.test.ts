import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  csvField,
  escapeJson,
  forTerminal,
  markdown,
  markdownLine,
  oneLine,
  plain,
  toJson,
} from "../../src/safe.ts";

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const HIDDEN_BUT_LINE_END = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const ANY = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 3 }),
      fc.constantFrom("\u001B[", "\u009B", "\0", "\u007F", "\n", "\r", "\t", "\u202E", "\u2066"),
      fc.constantFrom(
        "\u200E",
        "\u061C",
        "\u200B",
        "\uFEFF",
        "\u2028",
        "\u{E0041}",
        "=",
        ";",
        '"',
        "|",
      ),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(""));

test("no text keeps what steers a terminal, in any format", () => {
  fc.assert(
    fc.property(ANY, (text) => {
      for (const shown of [plain, oneLine, markdown, markdownLine].map((show) => show(text)))
        expect(shown).not.toMatch(HIDDEN);
      for (const shown of [csvField(text), toJson({ [text]: text }, 2), forTerminal(text, false)])
        expect(shown).not.toMatch(HIDDEN_BUT_LINE_END);
      expect(JSON.parse(toJson({ [text]: text }))).toEqual(
        JSON.parse(JSON.stringify({ [text]: text })),
      );
    }),
    { numRuns: 2_000 },
  );
});

test("a name is one line of words", () => {
  expect(plain("\u001B]0;title\u0007a\tb\r\n\u202Ec\u200D")).toBe("a b c");
  expect(oneLine("  a\n\u0007b  c")).toBe("  a b  c");
});

test("of all sequences, only our own pass", () => {
  const own = "\u001B[1ma\u001B[22m\u001B[31mb\u001B[39m\n\u001B[12A\u001B[J";
  expect(forTerminal(own, true)).toBe(own);
  expect(forTerminal(own, false)).not.toContain("\u001B");
  const others = "\u001B[35m\u001B[2J\u001B[H\u001B]0;t\u0007\u001BP\u009B1A\u001B[31;5m";
  expect(forTerminal(others, true)).not.toMatch(HIDDEN);
});

test("JSON has exact integers, and infinity as a number", () => {
  expect(toJson([2n ** 63n - 1n, -(2n ** 63n), Infinity, -Infinity, NaN, 1.5])).toBe(
    "[9223372036854775807,-9223372036854775808,9e999,-9e999,null,1.5]",
  );
  expect(escapeJson('{"a":"\u009B\u202E\u{E0041}\u007F"}\n')).toBe(
    String.raw`{"a":"\u009b\u202e\udb40\udc41\u007f"}` + "\n",
  );
});

describe("in CSV", () => {
  test.each([
    ["plain", "plain"],
    ["-1.5e3", "-1.5e3"],
    ["+12", "+12"],
    ["-x", "'-x"],
    ["-", "'-"],
    ["-1+1", "'-1+1"],
    ["@import", "'@import"],
    ["=1+1", "'=1+1"],
    [" =1", "' =1"],
    ["\t=1", "' =1"],
    ["\r=1", "' =1"],
    ['"=1', `"'""=1"`],
    ["＝1", "'＝1"],
    ["＋1", "'＋1"],
    ["\u202E=1", "' =1"],
    ["a;=1", "a;'=1"],
    ['a; "=1', `"a; ""'=1"`],
    ["a\n=1", `"a\n'=1"`],
    ["a\r\nb", `"a\nb"`],
    ["a - b; c", "a - b; c"],
    ['a "b"', '"a ""b"""'],
  ])("%j is %j", (text, expected) => {
    expect(csvField(text)).toBe(expected);
  });
});

describe("in Markdown", () => {
  test.each([
    ["create_issue", "create_issue"],
    ["__init__", String.raw`\_\_init\_\_`],
    ["<img src=x>", "&lt;img src=x&gt;"],
    ["&lt;", "&amp;lt;"],
    ["[x](javascript:1)", String.raw`\[x\](javascript:1)`],
    ["a|b\\|", String.raw`a\|b\\\|`],
    ["`code` *b* ~s~ $m$", String.raw`\`code\` \*b\* \~s\~ \$m\$`],
    ["a\n# b\r\n| c", String.raw`a # b \| c`],
  ])("%j is %j", (text, expected) => {
    expect(markdown(text)).toBe(expected);
  });

  test.each([
    ["# a", String.raw`\# a`],
    ["- a", String.raw`\- a`],
    ["+ a", String.raw`\+ a`],
    ["12. a", String.raw`12\. a`],
    ["1) a", String.raw`1\) a`],
    ["===", String.raw`\===`],
    ["12 a", "12 a"],
    ["> a", "&gt; a"],
  ])("a line %j is %j", (text, expected) => {
    expect(markdownLine(text)).toBe(expected);
  });
});
