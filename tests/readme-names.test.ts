/** The manual names everything that a user can name, and nothing that does not exist. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import * as core from "../packages/core/src/analytics/index.ts";
import * as queries from "../packages/core/src/analytics/queries/index.ts";
import { processTerminal } from "../packages/cli/src/output/terminal.ts";
import { makeProgram } from "../packages/cli/src/program.ts";
import * as mcp from "../packages/mcp/src/index.ts";
import { blocks, inlineCode, manual, root } from "./support/manual.ts";

const text = manual.map((page) => page.text).join("\n");
const code = manual.flatMap((page) => inlineCode(page.text));

const program = makeProgram(
  processTerminal(),
  () => undefined,
  () => undefined,
);
const commands = program.createHelp().visibleCommands(program);

/** The optional properties of an interface in a source file. */
async function optionsOf(path: string, name: string): Promise<readonly string[]> {
  const source = await Bun.file(join(root, "packages", path)).text();
  const [, body = ""] =
    new RegExp(`interface ${name} [^{]*\\{([\\s\\S]*?)\\n\\}`).exec(source) ?? [];
  const found = [...body.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, option]) => option ?? "");
  expect(found, `the options of ${name}`).not.toBeEmpty();
  return found;
}

test("every command and every option of the command line", () => {
  expect(commands.length).toBeGreaterThan(20);
  const missing = commands.flatMap((command) => [
    ...(new RegExp(`\`${command.name()}[ \`]`).test(text) ? [] : [command.name()]),
    ...command.options.flatMap(({ long }) =>
      long && new RegExp(`[ \`]${long}[ \`]`).test(text) ? [] : [`${command.name()} ${long}`],
    ),
  ]);
  expect(missing).toEqual([]);
});

test("no option that the command line does not have", () => {
  const known = new Set([
    "--help",
    "--version",
    ...commands.flatMap((command) => command.options.map(({ long }) => long)),
  ]);
  const named = code.flatMap((each) => /^--[\w-]+/.exec(each)?.[0] ?? []);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((option) => !known.has(option))).toEqual([]);
});

const options = [
  ...(await optionsOf("core/src/analytics/recording/config.ts", "TelemetryConfig")),
  ...(await optionsOf("core/src/analytics/database/database.ts", "AnalyticsDbOptions")),
  ...(await optionsOf("mcp/src/attaching/instrumentation.ts", "InstrumentOptions")),
];

test("every export and every option of the packages", async () => {
  const names = [
    ...options,
    ...(await optionsOf("core/src/analytics/housekeeping/retention.ts", "RetentionPolicy")),
    ...Object.keys(core),
    ...Object.keys(mcp),
    ...Object.keys(queries),
  ];
  const words = new Set(code.flatMap((each) => each.match(/\w+/g) ?? []));
  expect(names.filter((name) => !words.has(name))).toEqual([]);
});

test("no option that the packages do not have", () => {
  const tables = text.match(/^\| option .*\n(?:\|.*\n)+/gm) ?? [];
  const named = tables.flatMap((table) =>
    table.split("\n").flatMap((row) => inlineCode(row.split("|")[1] ?? "")),
  );
  const ofPackages = named.filter((name) => !name.startsWith("--"));
  expect(ofPackages.length).toBeGreaterThan(15);
  expect(ofPackages.filter((name) => !options.includes(name))).toEqual([]);
});

test("every table, view, status and reason for a missing record", () => {
  const values = [...core.TOOL_CALL_STATUSES, ...core.DROP_REASONS];
  const views = ["v_tool_daily", "v_sessions", "v_errors"];
  const tables = [
    "tool_calls",
    "tool_definitions",
    "session_definitions",
    "sessions",
    "recorder_health",
  ];
  const missing = [...values, ...tables, ...views].filter((name) => !code.includes(name));
  expect(missing).toEqual([]);
});

test("only scripts, benches and long runs that exist", async () => {
  const parts: Record<string, string> = {
    bench: await Bun.file(join(root, "bench/index.ts")).text(),
    soak: await Bun.file(join(root, "scripts/soak.ts")).text(),
  };
  const shown = [...code, ...blocks("sh").flatMap((block) => block.trim().split("\n"))];
  const wrong = shown.filter((command) => {
    const [, script, part] =
      /^(?:\w+=\S+ )?(?:npm|bun) (?:run )?([\w:-]+)(?: ([a-z-]+))?$/.exec(command) ?? [];
    if (script === undefined || command === "bun build" || script === "install") return false;
    if (!(script in manifest.scripts)) return true;
    return (
      part !== undefined && !new RegExp(`\\b"?${part}"?(?:[:,]| \\})`).test(parts[script] ?? "")
    );
  });
  expect(wrong).toEqual([]);
  const files = shown.flatMap(
    (command) => /^bun ((?:bench|scripts)\/\S+)/.exec(command)?.[1] ?? [],
  );
  expect(files.length).toBeGreaterThan(1);
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});
