/** Every command that asks the file, on a file of made-up traffic and on files made for one question. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fileWith, HOUR, trafficFile } from "../support/traffic.ts";
import { json, toolmeter } from "../support/toolmeter.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const directory = temporaryDirectory();
const before = process.env["TOOLMETER_DB"];

beforeAll(() => {
  process.env["TOOLMETER_DB"] = trafficFile(directory.file("traffic.db"));
});

afterAll(() => {
  if (before === undefined) delete process.env["TOOLMETER_DB"];
  else process.env["TOOLMETER_DB"] = before;
  directory[Symbol.dispose]();
});

const QUESTIONS: readonly string[][] = [
  ["report"],
  ["tools"],
  ["tools", "create_issue"],
  ["sessions"],
  ["errors"],
  ["slow"],
  ["clients"],
  ["transitions"],
  ["tax"],
  ["confusion"],
  ["health"],
  [
    "sql",
    "select tool_name, count(*) as calls from tool_calls group by 1 order by 2 desc",
    "--timeout",
    "0s",
  ],
];

describe.each(QUESTIONS)("toolmeter %s %s", (...given) => {
  // `describe.each` fills a row up.
  const words = given.filter((word) => typeof word === "string");

  test("fits its terminal, whatever its width", async () => {
    for (const columns of [80, 120]) {
      const { code, out, err } = await toolmeter(words, { columns });
      expect({ code, err }).toEqual({ code: 0, err: "" });
      const wide = out.split("\n").filter((line) => Bun.stringWidth(line) > Math.max(columns, 100));
      expect(wide.filter((line) => !line.includes(directory.path))).toEqual([]);
    }
  });

  test("answers in JSON, CSV and Markdown, too", async () => {
    expect(JSON.stringify(await json(...words)).length).toBeGreaterThan(40);
    const csv = await toolmeter([...words, "--format", "csv"]);
    expect(csv.code).toBe(0);
    const [header = "", ...lines] = csv.out.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(0);
    expect(header).not.toContain("\u001B");
    const markdown = await toolmeter([...words, "--format", "md"]);
    expect(markdown.out).toMatch(/^\| .+ \|\n\| [-:| ]+ \|\n\| /m);
  });

  test("colours nothing unless it may", async () => {
    const plain = await toolmeter(words);
    expect(plain.out).not.toContain("\u001B");
    const off = await toolmeter([...words, "--no-color"], { hasColor: true });
    expect(off.out).not.toContain("\u001B");
  });
});

describe("report", () => {
  test("is what toolmeter says without a command, also with options", async () => {
    const words = ["--limit", "3", "--tz", "UTC"];
    const [bare, named] = [await toolmeter(words), await toolmeter(["report", ...words])];
    expect(bare.out.split("\n").slice(2)).toEqual(named.out.split("\n").slice(2));
    expect((await toolmeter([])).out).toStartWith("Last 7 days");
  });

  test("compares with the time before, and begins with what fails most", async () => {
    const now = Date.now();
    const at = (hours: number, toolName: string, status: "error" | "success") => ({
      toolName,
      status,
      startedAt: now - hours * HOUR,
      durationMs: 20,
    });
    const file = fileWith(directory.file("compare.db"), [
      at(1, "good", "success"),
      at(2, "good", "success"),
      at(3, "bad", "error"),
      at(25, "good", "success"),
      at(26, "good", "success"),
    ]);
    const { out } = await toolmeter(["--db", file, "--since", "24h"]);
    expect(out).toMatch(/^calls +3 +\+50 % /m);
    expect(out).toMatch(/^error rate +33 % +\+33 pt/m);
    expect(out).toMatch(/^tool .*\nbad .*\ngood /m);
    expect(out).toContain("toolmeter tools bad");
    expect(await json("--db", file, "--since", "24h")).toMatchObject({
      totals: { calls: 3, failures: 1 },
      before: { calls: 2, failures: 0 },
      tools: [{ toolName: "bad" }, { toolName: "good" }],
    });
  });

  test("names a tool as one word of the command to copy", async () => {
    const file = fileWith(directory.file("shell.db"), [
      { toolName: "a; rm -rf $(pwd)", status: "error" },
    ]);
    const { out } = await toolmeter(["--db", file]);
    expect(out).toContain(String.raw`  toolmeter tools "a; rm -rf \$(pwd)"  100 % of calls fail`);
  });

  test("suggests no tool that never failed, and none twice", async () => {
    const slow = { toolName: "slow", durationMs: 5_000 };
    const well = fileWith(directory.file("well.db"), [slow]);
    expect((await toolmeter(["--db", well])).out).toContain(
      "Next steps\n  toolmeter tools slow  most time: 5.00 s\n  toolmeter errors ",
    );
    const failing = fileWith(directory.file("failing.db"), [{ ...slow, status: "error" }]);
    expect((await toolmeter(["--db", failing])).out).toContain(
      "Next steps\n  toolmeter tools slow  100 % of calls fail\n  toolmeter errors ",
    );
  });

  test("says so when there is nothing, and what to do", async () => {
    const file = fileWith(directory.file("empty.db"), []);
    const { code, out } = await toolmeter(["--db", file]);
    expect(code).toBe(0);
    expect(out).toContain("No calls. For a longer period: toolmeter --since all");
    expect((await toolmeter(["--db", file, "--since", "all"])).out).toStartWith("All time");
  });

  test("of a time that is over is titled by it", async () => {
    const { out } = await toolmeter([
      "--since",
      "2026-01-01",
      "--until",
      "2026-01-02",
      "--tz",
      "UTC",
    ]);
    expect(out).toStartWith("Jan 01 00:00 – Jan 02 00:00");
  });
});

describe("tools", () => {
  test("knows a tool that is listed but was never called, and one that nobody knows", async () => {
    expect((await toolmeter(["tools", "create_pull_request"])).out).toContain(
      "Definition versions",
    );
    expect((await toolmeter(["tools", "none"])).out).toContain("No calls to none");
    expect((await toolmeter(["tools", "query", "--since", "all"])).out).toStartWith("query");
  });

  test("shows what an edit of a definition changed", async () => {
    const answer = await json("tools", "create_issue", "--since", "all");
    expect(answer).toMatchObject({ definitions: [{ tokens: 226 }, { tokens: 177 }] });
  });
});

describe("rows", () => {
  test("are sorted by any field, as many as are asked for", async () => {
    const rows = await json("tools", "--sort", "p95Ms", "--limit", "4");
    const values = Array.isArray(rows) ? rows.map(({ p95Ms }) => p95Ms) : [];
    expect(values).toHaveLength(4);
    expect(values).toEqual(values.toSorted((a, b) => b - a));
    const tools = await json("tools", "--sort", "toolName", "--limit", "0");
    const names = Array.isArray(tools) ? tools.map(({ toolName }) => toolName) : [];
    expect(names.length).toBeGreaterThan(4);
    expect(names).toEqual(names.map(String).toSorted((a, b) => (a < b ? -1 : 1)));
    expect((await toolmeter(["tools", "--limit", "4"])).out).toMatch(
      /… and \d+ more: --limit 0 shows all/,
    );
    expect((await toolmeter(["tools", "--limit", "0"])).out).not.toContain("more");
    const sessions = await json("sessions", "--sort", "calls", "--limit", "2");
    expect(sessions).toHaveLength(2);
    expect((await toolmeter(["sessions", "--limit", "2"])).out).toContain("… and more");
  });

  test("refuses a field that is none, and names those that are", async () => {
    const { code, err } = await toolmeter(["tools", "--sort", "p95"]);
    expect(code).toBe(2);
    expect(err).toContain("one of toolName, calls, failures");
    expect((await toolmeter(["slow", "--sort", "name"])).code).toBe(2);
    expect((await toolmeter(["slow", "--sort", "outputTokens", "--limit", "1"])).code).toBe(0);
  });

  test("are of what is filtered", async () => {
    const filter = [
      "--server",
      "github",
      "--client",
      "claude-*",
      "--status",
      "error",
      "rejected",
      "--tool",
      "create_*",
      "get_*",
    ];
    expect(await json("slow", ...filter, "--limit", "3", "--since", "all")).toMatchObject([
      { serverName: "github", clientName: "claude-code" },
      { serverName: "github", clientName: "claude-code" },
      { serverName: "github", clientName: "claude-code" },
    ]);
  });

  test.each(["errors", "slow", "clients", "sessions", "tools", "transitions", "tax"])(
    "of %s in a time without any are a sentence",
    async (command) => {
      const { code, out } = await toolmeter(
        [command, "--since", "2020-01-01", "--until", "2020-01-02"],
        { columns: 160 },
      );
      expect({ code, lines: out.split("\n").length }).toEqual({ code: 0, lines: 2 });
      expect(out).toMatch(/^No /);
    },
  );
});

describe("session", () => {
  test("is a waterfall of its calls, found by a part of its id", async () => {
    const [found] = (await json("sessions", "--sort", "failures", "--limit", "1")) as [
      { id: string; calls: number },
    ];
    const { out } = await toolmeter(["session", found.id.slice(-8)]);
    expect(out).toContain(found.id);
    expect(out.match(/█/g)?.length).toBeGreaterThanOrEqual(found.calls);
    expect((await toolmeter(["session", found.id, "--limit", "1"])).out).toContain("more");
    expect(await json("session", found.id)).toMatchObject({ id: found.id });
  });

  test("has to be there, and to be one", async () => {
    expect(await toolmeter(["session", "zzz"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("no id contains"),
    });
    expect(await toolmeter(["session", "7"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("several ids contain"),
    });
  });
});

describe("a command line that makes no sense", () => {
  test.each([
    [["reprot"], "Did you mean report?"],
    [["tools", "--sinse", "7d"], "Did you mean --since?"],
    [["tools", "--since", "soon"], "Expected a time such as 7d"],
    [["tools", "--since", "1d", "--until", "2d"], "Expected since to be before until"],
    [["tools", "--limit", "few"], "Expected a whole number"],
    [["tools", "--format", "xml"], "Allowed choices are table, json, csv, md"],
    [["tools", "--tz", "Mars"], "Expected a time zone"],
    [["tools", "--status", "good"], "Expected a status, one of success"],
    [["tools", "a", "b"], "too many arguments"],
    [["check"], "Expected a limit"],
    [["check", "--error-rate", "200%"], "Expected a share"],
    [["check", "--p95", "fast"], "Expected a duration"],
    [["prune"], "Expected a limit"],
    [["prune", "--max-size", "big"], "Expected a size"],
    [["export", "--format", "parquet"], "Expected a file for Parquet"],
    [["record"], "Expected the command that starts a server"],
    [["record", "--http", "http://localhost:1", "server"], "got both"],
    [["record", "--http", "localhost"], "Expected a URL"],
    [["record", "--http", "http://localhost:1/mcp", "--listen", "here"], "Expected an address"],
  ])("%p is refused with 2 and a way out", async (words, message) => {
    const { code, out, err } = await toolmeter(words);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
  });

  test("a file that is not there is a failure, not a new file", async () => {
    const file = directory.file("none.db");
    expect(await toolmeter(["--db", file])).toMatchObject({
      code: 1,
      err: expect.stringContaining("does not exist"),
    });
    expect(await Bun.file(file).exists()).toBe(false);
  });
});

describe("help", () => {
  test("is there for the program and for each command, with examples", async () => {
    const { code, out } = await toolmeter(["--help"]);
    expect(code).toBe(0);
    expect(out).toContain("Exit codes:");
    const names = [...out.matchAll(/^ {2}([a-z]+) .*\[options\]|^ {2}([a-z]+) \[/gm)].map(
      ([, a, b]) => a ?? b ?? "",
    );
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) {
      const help = await toolmeter([name, "--help"]);
      expect({ name, code: help.code }).toEqual({ name, code: 0 });
      expect(help.out).toContain("Examples:");
    }
  });
});

describe("check", () => {
  const file = () =>
    fileWith(directory.file(`check-${Bun.randomUUIDv7()}.db`), [
      ...Array.from({ length: 20 }, () => ({ toolName: "slow", durationMs: 900 })),
      { toolName: "wrong", status: "error" as const, durationMs: 5 },
      { toolName: "wrong", status: "rejected" as const, durationMs: 5 },
      { toolName: "wrong", durationMs: 5 },
      { toolName: "wrong", durationMs: 5 },
    ]);

  test.each([
    [["--p95", "1s", "--error-rate", "50%"], 0, "2 tools are within the limits."],
    [["--p95", "500ms"], 3, "900 ms"],
    [["--p50", "100ms", "--p99", "100ms"], 3, "2 limits are exceeded."],
    [["--error-rate", "0.4"], 3, "50 %"],
    [["--rejection-rate", "25%"], 0, "within"],
    [["--rejection-rate", "24.9%"], 3, "25 %"],
    [["--p95", "500ms", "--tool", "wrong"], 0, "1 tool is within"],
    [["--error-rate", "10%", "--min-calls", "5"], 0, "1 tool is within"],
    [["--error-rate", "10%", "--overall"], 0, "within"],
    [["--error-rate", "5%", "--rejection-rate", "4%", "--overall"], 3, "2 limits"],
    [["--p95", "1s", "--tool", "none"], 3, "this period has none"],
    [["--p95", "1s", "--min-calls", "99"], 3, "a tool with at least 99 calls"],
  ])("%p exits with %d: %s", async (words, code, text) => {
    const outcome = await toolmeter(["check", "--db", file(), ...words]);
    expect(outcome.code).toBe(code);
    expect(outcome.out).toContain(text);
  });

  test("tells machines, too", async () => {
    const { code, out } = await toolmeter(["check", "--db", file(), "--p95", "500ms", "--json"]);
    expect(code).toBe(3);
    expect(JSON.parse(out)).toEqual({
      ok: false,
      checked: 2,
      findings: [{ toolName: "slow", what: "p95", value: 900, limit: 500, calls: 20 }],
    });
  });
});
