/** The README is run: a snippet that stops working, or a name that it forgets, fails here. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import * as core from "../packages/core/src/analytics/index.ts";

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

describe("README", () => {
  test.each(blocks("ts"))("runs its TypeScript: %s", async (code) => {
    const { exitCode, stderr } = await run(
      [process.execPath, "run", "-"],
      join(root, "examples"),
      code,
    );
    expect(exitCode, stderr).toBe(0);
  });

  test("quotes the quick start from the file that is run and type-checked", async () => {
    const quickStart = await Bun.file(join(root, "examples/quick-start.ts")).text();
    expect(blocks("ts")).toContain(quickStart);
  });

  test.each(blocks("sql"))("runs its SQL on the file the demo made: %s", (sql) => {
    using db = new Database(env.TOOLMETER_DB, { readonly: true });
    expect(db.query(sql).all()).not.toBeEmpty();
  });

  test("names only commands that exist", () => {
    const commands = blocks("sh").flatMap((block) => block.trim().split("\n"));
    expect(commands.length).toBeGreaterThan(1);
    for (const command of commands) {
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
    const missing = [...options, ...Object.keys(core)].filter(
      (name) => !readme.includes(`\`${name}`),
    );
    expect(missing).toEqual([]);
  });
});
