/** The README is run: a snippet that stops working, or a name that it forgets, fails here. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import * as core from "../packages/core/src/analytics/index.ts";
import * as queries from "../packages/core/src/analytics/queries/index.ts";
import { makeProgram } from "../packages/cli/src/program.ts";
import { processTerminal } from "../packages/cli/src/output/terminal.ts";
import * as mcp from "../packages/mcp/src/index.ts";

const root = join(import.meta.dir, "..");
const readme = await Bun.file(join(root, "README.md")).text();
const directory = mkdtempSync(join(tmpdir(), "toolmeter-readme-"));
const TOOLMETER = join(root, "packages/cli/src/toolmeter.ts");
const env = { ...process.env, TOOLMETER_DB: join(directory, "analytics.db") };

/** The README's fenced blocks of one language. */
function blocks(language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm");
  return [...readme.matchAll(fence)].map(([, code]) => code ?? "");
}

async function run(command: string[], cwd: string, stdin = "") {
  const child = Bun.spawn(command, {
    cwd,
    env,
    stdin: Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, stdout, stderr };
}

beforeAll(async () => {
  // What the README calls "what you see" comes from this.
  const { exitCode, stderr } = await run([process.execPath, "run", "demo"], root);
  expect(exitCode, stderr).toBe(0);
}, 60_000);

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Programs that run until they are told to stop: `examples/tests/servers.test.ts` runs them. */
const SERVERS = ["stdio-server.ts", "http-server.ts"];
const servers = await Promise.all(
  SERVERS.map((name) => Bun.file(join(root, "examples", name)).text()),
);

const commandLines = blocks("sh").flatMap((block) => block.trim().split("\n"));
const toolmeter = (words: readonly string[]) => [process.execPath, TOOLMETER, ...words];

describe("README", () => {
  test.each(
    commandLines.filter((command) => /^toolmeter (?!record|install|uninstall)/.test(command)),
  )("runs %s", async (command) => {
    const { exitCode, stdout, stderr } = await run(toolmeter(command.split(" ").slice(1)), root);
    expect(exitCode, stdout + stderr).toBe(0);
    expect(stdout).not.toBe("");
  });

  test.each(commandLines.filter((command) => /^toolmeter (?:install|uninstall)/.test(command)))(
    "runs %s on a configuration",
    async (command) => {
      const config = join(directory, "config.json");
      const [shown = ""] = blocks("json");
      await Bun.write(config, shown);
      const { exitCode, stdout } = await run(
        toolmeter([...command.split(" ").slice(1), "--config", config]),
        root,
      );
      expect(exitCode).toBe(0);
      expect(stdout).toContain("memory");
      expect(await Bun.file(config).text()).toBe(shown);
    },
  );

  test("puts the recorder before a command as it is shown", async () => {
    const { mcpServers } = JSON.parse(blocks("json")[0] ?? "{}");
    const { command, args } = mcpServers.memory;
    expect(command).toBe("toolmeter");
    // The same server without npx, which may have to fetch it first.
    const server = Bun.resolveSync(
      "@modelcontextprotocol/server-memory/dist/index.js",
      join(root, "packages/cli"),
    );
    const words: string[] = args
      .join(" ")
      .replace("npx -y @modelcontextprotocol/server-memory", "<server>")
      .split(" ");
    const own = words.flatMap((word) =>
      word === "<server>" ? [process.execPath, server] : [word],
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
    const { exitCode, stdout } = await run(toolmeter(own), root, `${JSON.stringify(initialize)}\n`);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      id: 1,
      result: { serverInfo: { name: "memory-server" } },
    });
  });

  test("tells every command and every option of the command line", () => {
    const program = makeProgram(
      processTerminal(),
      () => undefined,
      () => undefined,
    );
    const commands = program.createHelp().visibleCommands(program);
    expect(commands.length).toBeGreaterThan(20);
    const missing = commands.flatMap((command) => [
      ...(new RegExp(`\`${command.name()}[ \`]`).test(readme) ? [] : [command.name()]),
      ...command.options.flatMap(({ long }) =>
        long && readme.includes(`\`${long}`) ? [] : [`${command.name()} ${long}`],
      ),
    ]);
    expect(missing).toEqual([]);
  });

  test("shows a report as toolmeter prints it", async () => {
    const shown = blocks("text").find((block) => block.includes("Last 7 days")) ?? "";
    const { stdout } = await run(toolmeter([]), root);
    const names = (text: string) =>
      text.split("\n").map((line) => /^(?:tool |[a-z][a-z0-9 ·]*?(?= {2,}))/.exec(line)?.[0]);
    expect(names(stdout)).toEqual(expect.arrayContaining(names(shown).slice(0, 8)));
    const header = (text: string) =>
      text
        .split("\n")
        .find((line) => line.startsWith("tool "))
        ?.split(/ {2,}/);
    expect(header(stdout)).toEqual(header(shown));
  });

  test("quotes the servers from the files that are run", () => {
    for (const server of servers) expect(blocks("ts")).toContain(server);
  });

  test.each(blocks("ts").filter((code) => !servers.includes(code)))(
    "runs its TypeScript: %s",
    async (code) => {
      const { exitCode, stderr } = await run(
        [process.execPath, "run", "-"],
        join(root, "examples"),
        code,
      );
      expect(exitCode, stderr).toBe(0);
    },
  );

  test("quotes the quick start from the file that is run and type-checked", async () => {
    const quickStart = await Bun.file(join(root, "examples/quick-start.ts")).text();
    expect(blocks("ts")).toContain(quickStart);
  });

  test.each(blocks("sql"))("runs its SQL on the file the demo made: %s", (sql) => {
    using db = new Database(env.TOOLMETER_DB, { readonly: true });
    expect(db.query(sql).all()).not.toBeEmpty();
  });

  test("names only commands that exist", async () => {
    const commands = commandLines.filter((command) => !command.startsWith("toolmeter "));
    const [preload = "", ...others] = commands.filter((command) => command.startsWith("bun --"));
    expect(others).toEqual([]);
    // As a user does, beside the packages.
    const outcome = await run(
      [process.execPath, ...preload.split(" ").slice(1)],
      join(root, "examples"),
    );
    expect(outcome).toMatchObject({ exitCode: 0, stdout: "" });
    for (const command of commands.filter((each) => each !== preload)) {
      const script = /^(?:npm|bun) (?:run )?([\w:]+)/.exec(command)?.[1] ?? "";
      expect(["install", ...Object.keys(manifest.scripts)], command).toContain(script);
    }
  });

  test("shows a report that has the demo's columns and tools", async () => {
    const shown = blocks("text").find((block) => block.includes("p95")) ?? "";
    const { stdout } = await run([process.execPath, "run", "demo"], root);
    const header = (text: string) =>
      text
        .split("\n")
        .find((line) => line.startsWith("tool "))
        ?.split(/ {2,}/);
    expect(header(shown)).toEqual(header(stdout));
  }, 60_000);

  test("names every export and every option", async () => {
    const config = await Bun.file(
      join(root, "packages/core/src/analytics/recording/config.ts"),
    ).text();
    const options = [...config.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name]) => name ?? "");
    expect(options.length).toBeGreaterThan(5);
    const instrument = await Bun.file(
      join(root, "packages/mcp/src/attaching/instrumentation.ts"),
    ).text();
    const declared =
      /interface InstrumentOptions [^{]+\{([\s\S]*?)\n\}/.exec(instrument)?.[1] ?? "";
    const own = [...declared.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name]) => name ?? "");
    expect(own.length).toBeGreaterThan(5);
    const missing = [
      ...options,
      ...own,
      ...Object.keys(core),
      ...Object.keys(mcp),
      ...Object.keys(queries),
    ].filter((name) => !readme.includes(`\`${name}`));
    expect(missing).toEqual([]);
  });
});
