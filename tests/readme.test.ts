/** The README is run: a snippet that stops working, or a name that it forgets, fails here. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import * as core from "../packages/core/src/analytics/index.ts";
import * as mcp from "../packages/mcp/src/index.ts";

const root = join(import.meta.dir, "..");
const readme = await Bun.file(join(root, "README.md")).text();
const directory = mkdtempSync(join(tmpdir(), "toolmeter-readme-"));
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

describe("README", () => {
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
    const commands = blocks("sh").flatMap((block) => block.trim().split("\n"));
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
        .find((line) => line.includes("p95"))
        ?.trim();
    expect(header(shown)).toBe(header(stdout));
  }, 60_000);

  test("names every export and every option", async () => {
    const config = await Bun.file(join(root, "packages/core/src/analytics/config.ts")).text();
    const options = [...config.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name]) => name ?? "");
    expect(options.length).toBeGreaterThan(5);
    const instrument = await Bun.file(join(root, "packages/mcp/src/instrumentation.ts")).text();
    const declared =
      /interface InstrumentOptions [^{]+\{([\s\S]*?)\n\}/.exec(instrument)?.[1] ?? "";
    const own = [...declared.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name]) => name ?? "");
    expect(own.length).toBeGreaterThan(5);
    const missing = [...options, ...own, ...Object.keys(core), ...Object.keys(mcp)].filter(
      (name) => !readme.includes(`\`${name}`),
    );
    expect(missing).toEqual([]);
  });
});
