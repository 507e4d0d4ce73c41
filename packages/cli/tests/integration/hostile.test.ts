/** Whatever a file or an argument holds, no command lets it steer a terminal, a page or a spreadsheet. */
import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run } from "../../src/run.ts";
import { HOSTILE, hostileFile } from "../support/hostile.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { command } from "../support/command.ts";
import { memoryTerminal, toolmeter } from "../support/toolmeter.ts";
import { until } from "@toolmeter/testing/until";

// A safety net: many commands are run, two of them with processes of their own.
setDefaultTimeout(60_000);

const directory = temporaryDirectory();
/** The parts of it that a file name may have. */
const NAME = HOSTILE.replaceAll(/[/\0]/g, "").slice(0, 60);
const before = process.env["TOOLMETER_DB"];
let file: string;

beforeAll(() => {
  mkdirSync(directory.file(NAME));
  file = hostileFile(directory.file(`${NAME}/a.db`));
  process.env["TOOLMETER_DB"] = file;
});

afterAll(() => {
  if (before === undefined) delete process.env["TOOLMETER_DB"];
  else process.env["TOOLMETER_DB"] = before;
  directory[Symbol.dispose]();
});

/** All but line ends. */
const FORBIDDEN = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

// oxlint-disable-next-line no-control-regex -- The test searches for control characters.
const OWN_COLOURS = new RegExp("\u001B\\[(?:1|2|22|31|32|33|39)m", "g");
// oxlint-disable-next-line no-control-regex -- The test searches for control characters.
const RED_WITHIN = new RegExp("x\u001B\\[31m", "u");
/** Up and clear: its last lines are drawn again. */
// oxlint-disable-next-line no-control-regex -- The test searches for control characters.
const REDRAWN = new RegExp("\u001B\\[(?:\\d+A|J)", "g");

function expectHarmless(what: unknown, ...texts: readonly string[]): void {
  for (const text of texts) {
    const at = FORBIDDEN.exec(text)?.index;
    const found = at === undefined ? undefined : JSON.stringify(text.slice(at - 40, at + 20));
    expect({ what, found }).toEqual({ what, found: undefined });
  }
}

const QUESTIONS: readonly (readonly string[])[] = [
  ["report"],
  ["tools"],
  ["tools", HOSTILE],
  ["tools", `none ${HOSTILE}`],
  ["sessions"],
  ["session", "session-1"],
  ["errors"],
  ["slow"],
  ["clients"],
  ["transitions"],
  ["tax"],
  ["confusion"],
  ["health"],
  ["check", "--p95", "1ms"],
  ["sql", "select * from tool_calls"],
  ["sql", "select * from sessions, recorder_health, tool_definitions"],
  ["sql", `select 1 as "${HOSTILE.replaceAll('"', '""')}"`],
];

const everyQuestion = (look: (words: readonly string[]) => Promise<void>) =>
  test.each(
    QUESTIONS.map(
      (words) => [words.join(" ").slice(0, 30).replaceAll(/\W+/g, " "), words] as const,
    ),
  )("%s", (_, words) => look(words));

describe("in a terminal", () => {
  everyQuestion(async (words) => {
    for (const columns of [80, 400]) {
      const { out, err } = await toolmeter(words, { columns });
      expect(out.length).toBeGreaterThan(10);
      expectHarmless(words, out, err);
      // A text with line ends is one line.
      expect(out).not.toMatch(/^(?:# heading|\| cell)/m);
    }
  });
});

describe("in a terminal with colours", () => {
  everyQuestion(async (words) => {
    const { out, err } = await toolmeter(words, { hasColor: true, isInteractive: true });
    expectHarmless(words, out.replaceAll(OWN_COLOURS, ""), err);
    // What is coloured is a cell or a line: red is never begun within a text.
    expect(out).not.toMatch(RED_WITHIN);
  });
});

describe("in JSON, which still has the same value", () => {
  everyQuestion(async (words) => {
    const { out, err } = await toolmeter([...words, "--json"]);
    expectHarmless(words, out, err);
    const texts: string[] = [];
    JSON.parse(out, (key: string, value: unknown) => {
      texts.push(key);
      if (typeof value === "string") texts.push(value);
      return value;
    });
    if (words[0] !== "health" && words[0] !== "report")
      expect(texts.join("")).toContain(words[1] === "session-1" ? HOSTILE : HOSTILE.slice(0, 40));
    expect(texts.join("")).toContain("=cmd|");
  });
});

describe("in CSV", () => {
  everyQuestion(async (words) => {
    const { out, err } = await toolmeter([...words, "--format", "csv"]);
    expectHarmless(words, out, err);
    const records = parseCsv(out);
    for (const field of records.flat()) {
      expect(field).not.toMatch(/^[\s"]*[=+@＝＋＠]|^[\s"]*-(?![\d.]+$)|;\s*=/);
    }
    // A text with line ends stays one field.
    expect(new Set(records.map(({ length }) => length)).size).toBeLessThanOrEqual(1);
  });
});

/** The fields of RFC 4180. */
function parseCsv(text: string): readonly (readonly string[])[] {
  const records: string[][] = [];
  let record: string[] = [];
  for (const [, quoted, plain = "", end] of text.matchAll(
    /(?:"((?:[^"]|"")*)"|([^,\n"]*))(,|\n)/g,
  )) {
    record.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === "\n") {
      records.push(record);
      record = [];
    }
  }
  return records;
}

describe("in Markdown", () => {
  everyQuestion(async (words) => {
    const { out, err } = await toolmeter([...words, "--format", "md"]);
    expect(out.length).toBeGreaterThan(10);
    expectHarmless(words, out, err);
    expect(out).not.toMatch(/<(?:img|script)|(?<!\\)`|(?<!\\)\]\(|&lt;(?=\s)/);
    expect(out).not.toMatch(/^(?:# |- |\+ |\d+\. )/m);
    // A row has as many cells as its header.
    for (const part of out.split("\n\n")) {
      const rows = part.split("\n").filter((line) => line.startsWith("| "));
      const cells = rows.map((row) => row.replaceAll(/\\[\s\S]/g, "").split("|").length);
      expect(new Set(cells).size).toBeLessThanOrEqual(1);
    }
  });
});

describe("beside the answers", () => {
  const config = directory.file("config.json");

  test.each([
    ["an unknown command", [HOSTILE]],
    ["an unknown option", ["tools", `--${HOSTILE}`]],
    ["too many arguments", ["tools", "a", HOSTILE]],
    ["a wrong choice", ["tools", "--format", HOSTILE]],
    ["a wrong number", ["tools", "--limit", HOSTILE]],
    ["a wrong time", ["tools", "--since", HOSTILE]],
    ["a wrong zone", ["tools", "--tz", HOSTILE]],
    ["a wrong status", ["tools", "--status", HOSTILE]],
    ["a wrong field", ["tools", "--sort", HOSTILE]],
    ["a wrong order", ["slow", "--sort", HOSTILE]],
    ["a tool that is not there", ["tools", "--tool", HOSTILE, "x"]],
    ["a session that is not there", ["session", HOSTILE]],
    ["a file that is not there", ["report", "--db", `none ${HOSTILE}`]],
    ["a limit", ["check", "--p95", HOSTILE]],
    ["a share", ["check", "--error-rate", HOSTILE]],
    ["a size", ["prune", "--max-size", HOSTILE]],
    ["a format", ["export", "--format", HOSTILE]],
    ["a client", ["install", HOSTILE]],
    ["a configuration that is not there", ["install", "cursor", "--config", HOSTILE]],
    ["a shell", ["completion", HOSTILE]],
    ["a URL", ["record", "--http", HOSTILE]],
    ["an address", ["record", "--http", "http://localhost:1/mcp", "--listen", HOSTILE]],
    ["a file to import", ["import", HOSTILE]],
    ["a file to merge", ["merge", HOSTILE]],
    ["a statement", ["sql", HOSTILE]],
    ["a column", ["sql", `select "${NAME.replaceAll('"', "")}" from tool_calls`]],
    ["a file of the demo that is a directory", ["demo", "--output", directory.file(NAME)]],
  ])("%s", async (_, words) => {
    const { code, out, err } = await toolmeter(words, { hasColor: true });
    expectHarmless(words, out.replaceAll(OWN_COLOURS, ""), err);
    expect(code).toBeOneOf([0, 1, 2, 126, 127]);
  });

  test("a program that is not there", async () => {
    const { code, out, err } = await command(["record", "--", HOSTILE.replaceAll("\0", "")]);
    expectHarmless(["record"], out, err);
    expect(code).toBeOneOf([126, 127]);
  });

  test("names of servers in a client's configuration", async () => {
    await Bun.write(
      config,
      JSON.stringify({
        mcpServers: { [HOSTILE]: { command: HOSTILE, args: [HOSTILE] }, url: { url: HOSTILE } },
      }),
    );
    for (const words of [["install"], ["uninstall"]]) {
      const { code, out, err } = await toolmeter([...words, "cursor", "--config", config]);
      expect({ code, err }).toMatchObject({ code: 0 });
      expectHarmless(words, out, err);
    }
  });

  test("lines that cannot be imported, files that are merged, what is pruned", async () => {
    const lines = directory.file("lines.jsonl");
    await Bun.write(lines, `${HOSTILE}\n{"id":1,"${NAME.replaceAll(/["\\\n]/g, "")}":2}\n`);
    const other = directory.file("other.db");
    for (const words of [
      ["import", lines, "--db", other],
      ["merge", file, "--db", other],
      ["health", "--db", other],
      ["prune", "--older-than", "9d", "--db", other],
    ]) {
      const { out, err } = await toolmeter(words);
      expectHarmless(words, out, err);
    }
  });

  test("what doctor finds", async () => {
    const { out, err } = await toolmeter(["doctor"], { hasColor: true });
    expect(out).toContain("a recorded call");
    expectHarmless("doctor", out.replaceAll(OWN_COLOURS, ""), err);
  });
});

test.each(["jsonl", "csv"])("in an export as %s, payloads included", async (format) => {
  const { out, err } = await toolmeter(["export", "--format", format, "--payloads"]);
  expectHarmless(format, out, err);
  if (format === "jsonl") {
    for (const line of out.trimEnd().split("\n")) {
      expect(JSON.parse(line)).toMatchObject({
        tool_name: HOSTILE,
        arguments: { [HOSTILE]: HOSTILE },
      });
    }
  }
});

test.each([[[]], [["--json"]]])("in tail, while it follows: %p", async (words) => {
  const { terminal, written } = memoryTerminal({
    hasColor: true,
    isInteractive: true,
    columns: 2_000,
  });
  const ended = run(["tail", ...words], terminal);
  await until(() => written.out !== "");
  process.emit("SIGINT");
  expect(await ended).toBe(130);
  expect(written.out).not.toMatch(/^(?:# heading|\| cell)/m);
  expectHarmless(
    "tail",
    written.out.replaceAll(OWN_COLOURS, "").replaceAll(REDRAWN, ""),
    written.err,
  );
});

const NUMBERS = [1.7e308, Number.POSITIVE_INFINITY, -1e300, -5, 0, 2 ** 53, 2n ** 60n];

test.each(NUMBERS)("where every number is %p, every command answers in short", async (number) => {
  const path = hostileFile(directory.file(`number-${NUMBERS.indexOf(number)}.db`), number);
  // `sql` shows what is stored.
  for (const words of QUESTIONS.filter(([name]) => name !== "sql")) {
    for (const format of ["table", "csv"]) {
      const { code, out, err } = await toolmeter([...words, "--db", path, "--format", format]);
      expect({ words, err }).toEqual({ words, err: "" });
      expect(code).toBeOneOf([0, 3]);
      if (format === "table") {
        expect(out).not.toMatch(/\de[+-]\d|NaN|Infinity|undefined|\d{22}/);
      }
    }
  }
});
