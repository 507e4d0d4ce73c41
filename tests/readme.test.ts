/** The manual is run: a snippet that stops working fails here. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { blocks, blocksOf, readme, root } from "./support/manual.ts";

const directory = mkdtempSync(join(tmpdir(), "toolmeter-readme-"));
const TOOLMETER = join(root, "packages/cli/src/toolmeter.ts");
const env = {
  ...process.env,
  TOOLMETER_DB: join(directory, "demo.db"),
  COLUMNS: "80",
  // What programs leave there goes, too.
  TMPDIR: directory,
  // Where the shell finds `toolmeter`.
  PATH: [directory, process.env["PATH"]].join(delimiter),
};

async function run(command: readonly string[], cwd: string, stdin = "") {
  const child = Bun.spawn([...command], {
    cwd,
    env,
    stdin: Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, stdout, stderr };
}

/** As a user types it, in the root. */
const shell = (command: string) => run(["sh", "-c", command], root);

const toolmeter = (...words: readonly string[]) =>
  run([process.execPath, TOOLMETER, ...words], root);

/** What the demo printed, and the tools that it called. */
let printed = "";
let tools: readonly Row[] = [];

beforeAll(async () => {
  const script = join(directory, "toolmeter");
  await Bun.write(script, `#!/bin/sh\nexec '${process.execPath}' '${TOOLMETER}' "$@"\n`);
  chmodSync(script, 0o755);
  const { exitCode, stdout, stderr } = await run([process.execPath, "run", "demo"], root);
  expect(exitCode, stderr).toBe(0);
  printed = stdout;
  const answer = await toolmeter("--since", "all", "--limit", "0", "--json");
  ({ tools } = JSON.parse(answer.stdout));
}, 60_000);

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const commandLines = blocks("sh").flatMap((block) => block.trim().split("\n"));
const ofToolmeter = commandLines.filter((command) => /(?:^|\| )toolmeter\b/.test(command));
const changes = ofToolmeter.filter((command) => /^toolmeter (?:un)?install/.test(command));
const proxies = ofToolmeter.filter((command) => command.startsWith("toolmeter record"));
const answers = ofToolmeter.filter((each) => !changes.includes(each) && !proxies.includes(each));

test.each(answers)("%s answers", async (command) => {
  const { exitCode, stdout, stderr } = await shell(command);
  expect(exitCode, stdout + stderr).toBe(0);
  expect(stdout).not.toBe("");
});

test.each(changes)("%s shows a change of the configuration", async (command) => {
  const config = join(directory, "config.json");
  const [shown = ""] = blocksOf(readme, "json");
  await Bun.write(config, shown);
  const { exitCode, stdout, stderr } = await shell(`${command} --config '${config}'`);
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toContain("memory");
  expect(await Bun.file(config).text()).toBe(shown);
});

test.each(proxies)("%s starts a proxy", async (command) => {
  // On a port that is free.
  const words = command
    .replace(/(--listen \S+):\d+/, "$1:0")
    .split(" ")
    .slice(1);
  expect(words).toContain("--listen");
  const proxy = Bun.spawn([process.execPath, TOOLMETER, ...words], { env, stderr: "pipe" });
  const reader = proxy.stderr.getReader();
  const { value } = await reader.read();
  proxy.kill();
  await proxy.exited;
  expect(Buffer.from(value ?? []).toString()).toStartWith("Recording http");
});

test("the recorder runs before a command as the configuration shows", async () => {
  const { mcpServers } = JSON.parse(blocksOf(readme, "json")[0] ?? "{}");
  const { command, args } = mcpServers.memory;
  expect(command).toBe("toolmeter");
  // The same server without npx, which may have to fetch it first.
  const [recorder, ...published] = args;
  expect(published).toEqual(["npx", "-y", "@modelcontextprotocol/server-memory"]);
  const server = Bun.resolveSync(
    "@modelcontextprotocol/server-memory/dist/index.js",
    join(root, "packages/cli"),
  );
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "reader", version: "1" },
    },
  };
  const { exitCode, stdout } = await run(
    [command, recorder, process.execPath, server],
    root,
    `${JSON.stringify(initialize)}\n`,
  );
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    id: 1,
    result: { serverInfo: { name: "memory-server" } },
  });
});

test("the report is the one that the demo prints", () => {
  const [shown = ""] = blocksOf(readme, "text");
  expect(parts(shown)).toEqual(parts(printed));
  expect(Math.max(...shown.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
});

interface Row {
  readonly toolName: string;
  readonly calls: number;
  readonly failures: number;
}

/** A report without what differs between two runs: times, estimates, and the order of tools that fail equally often. */
function parts(report: string) {
  const lines = report.trimEnd().split("\n");
  const header = lines.findIndex((line) => line.startsWith("tool "));
  const end = lines.findIndex((line) => line.startsWith("…"));
  const rows = lines.slice(header + 1, end).map((line) => line.split(/ {2,}/));
  const outcomes = rows.map(([name = "", calls, failures]) => {
    const tool = tools.find((each) => matches(name, each.toolName));
    const isRight = tool && Number(calls) === tool.calls && Number(failures) === tool.failures;
    return { name: tool?.toolName ?? name, isRight, failures: Number(failures) };
  });
  const failing = outcomes.filter(({ failures }) => failures > 0);
  return {
    title: lines[0],
    file: basename(lines[1] ?? ""),
    summary: lines.slice(2, header).map(withoutFigures),
    header: lines[header]
      ?.split(/ {2,}/)
      .map((cell) => HEADERS.find((name) => matches(cell, name)) ?? cell),
    wrong: outcomes.filter(({ isRight }) => !isRight),
    failing: failing.map(({ name }) => name).toSorted(),
    others: outcomes.length - failing.length,
    rest: withoutFigures(lines.slice(end).join(" ")),
  };
}

const HEADERS = ["tool", "calls", "failed", "error rate", "p50", "p95", "p99", "output tokens"];

/** Whether a text that is cut in its middle stands for a name. */
function matches(text: string, name: string): boolean {
  const [start = "", end] = text.split("…");
  return end === undefined ? text === name : name.startsWith(start) && name.endsWith(end);
}

function withoutFigures(text: string): string {
  return text
    .replaceAll(/[\d.]+ (?:ms|s)\b/g, "<time>")
    .replaceAll(/[\d.]+k/g, "<tokens>")
    .replaceAll(/\s+/g, " ")
    .trim();
}

/** Programs that run until they are told to stop: `examples/tests/servers.test.ts` runs them. */
const SERVERS = ["stdio-server.ts", "http-server.ts"];
/** Files that are run and type-checked by themselves. */
const QUOTED = [...SERVERS, "quick-start.ts"];
const quoted = await Promise.all(
  QUOTED.map(async (name) => ({ name, text: await Bun.file(join(root, "examples", name)).text() })),
);

test.each(quoted)("$name is quoted", ({ text }) => {
  expect(blocks("ts")).toContain(text);
});

const servers = new Set(
  quoted.filter(({ name }) => SERVERS.includes(name)).map(({ text }) => text),
);

test.each([...new Set(blocks("ts"))].filter((code) => !servers.has(code)))(
  "the TypeScript runs: %s",
  async (code) => {
    const { exitCode, stderr } = await run(
      [process.execPath, "run", "-"],
      join(root, "examples"),
      code,
    );
    expect(exitCode, stderr).toBe(0);
  },
);

test.each([...new Set(blocks("sql"))])("the SQL finds rows in the demo's file: %s", (sql) => {
  using db = new Database(env.TOOLMETER_DB, { readonly: true });
  expect(db.query(sql).all()).not.toBeEmpty();
});

test("the preload starts a published server", async () => {
  const [preload = "", ...others] = commandLines.filter((command) => command.startsWith("bun --"));
  expect(others).toEqual([]);
  // As a user does, beside the packages.
  const outcome = await run(
    [process.execPath, ...preload.split(" ").slice(1)],
    join(root, "examples"),
  );
  expect(outcome).toMatchObject({ exitCode: 0, stdout: "" });
});
