/**
 * Measures answers on large files: the default report against a count in the `sqlite3` shell, whole process against whole
 * process; time and peak memory of every command; and how long `toolmeter` takes to start.
 *
 *   bun bench/answers.ts [calls=1000000 10000000 …]
 *
 * Creates the files in the temporary directory and keeps them for the next run. Needs `sqlite3`, a Debian package.
 */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median, percentile } from "./statistics.ts";

const ROOT = join(import.meta.dir, "..");
const SOURCE = join(ROOT, "packages/cli/src/toolmeter.ts");
const DIRECTORY = join(tmpdir(), "toolmeter-bench");
const BINARY = join(DIRECTORY, "toolmeter");
const ROUNDS = 15;
const DAYS = 90;

const sizes = process.argv.slice(2).map(Number);
if (sizes.length === 0) sizes.push(1_000_000, 10_000_000);

interface Run {
  readonly ms: number;
  readonly peakMb: number;
}

async function run(command: readonly string[], db = ""): Promise<Run> {
  const begun = Bun.nanoseconds();
  const child = Bun.spawn([...command], {
    env: { ...process.env, TOOLMETER_DB: db },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const code = await child.exited;
  const ms = (Bun.nanoseconds() - begun) / 1e6;
  if (code !== 0 && code !== 3)
    throw new Error(`${command.join(" ")}: ${await child.stderr.text()}`);
  return { ms, peakMb: (child.resourceUsage()?.maxRSS ?? 0) / 1e6 };
}

/** Runs commands in turns, so that noise affects all of them equally. */
async function inTurns(
  commands: Record<string, readonly string[]>,
  db: string,
): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = {};
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, command] of Object.entries(commands)) {
      const { ms } = await run(command, db);
      // The first round fills caches.
      if (round > 0) (times[name] ??= []).push(ms);
    }
  }
  return times;
}

function tell(times: Record<string, number[]>, base: string): void {
  for (const [name, samples] of Object.entries(times)) {
    const ratio = median(samples) / median(times[base] ?? samples);
    const tail = `p95 ${percentile(samples, 0.95).toFixed(0)} ms`;
    console.log(
      `  ${name.padEnd(26)}${ratio.toFixed(2).padStart(6)} ×   median ${median(samples).toFixed(0)} ms  ${tail}`,
    );
  }
}

async function build(): Promise<void> {
  const worker = join(ROOT, "packages/cli/src/writer.worker.ts");
  const options = [
    "--compile",
    "--minify",
    "--bytecode",
    "--format=esm",
    "--splitting",
    "--outfile",
    BINARY,
  ];
  await run([process.execPath, "build", SOURCE, worker, ...options]);
}

async function start(): Promise<void> {
  const empty = join(DIRECTORY, "empty.ts");
  await Bun.write(empty, "");
  const commands = {
    "an empty Bun script": [process.execPath, empty],
    "toolmeter --version": [process.execPath, SOURCE, "--version"],
    "the same, one binary": [BINARY, "--version"],
  };
  console.log("\nstart");
  tell(await inTurns(commands, ""), "an empty Bun script");
}

/** Each command over the last 7 days, then over all time. */
const COMMANDS: readonly (readonly string[])[] = [
  ["report"],
  ["tools"],
  ["tools", "query"],
  ["sessions"],
  ["errors"],
  ["slow"],
  ["clients"],
  ["transitions"],
  ["tax"],
  ["confusion"],
  ["health"],
  ["check", "--p95", "1s"],
  ["export"],
];

async function answers(calls: number): Promise<void> {
  const db = join(DIRECTORY, `${calls}.db`);
  console.log(`\n${calls} calls in ${DAYS} days: ${db}`);
  if (!existsSync(db)) {
    await run([
      BINARY,
      "demo",
      "--calls",
      String(calls),
      "--days",
      String(DAYS),
      "--output",
      db,
      "--quiet",
    ]);
  }
  // Times count back from the last call, because the file may be old.
  const count = `select max(started_at_ms) from tool_calls`;
  const last = Number(
    await new Response(Bun.spawn(["sqlite3", db, count], { stdout: "pipe" }).stdout).text(),
  );
  const until = new Date(last + 1).toISOString();
  const week = new Date(last + 1 - 7 * 86_400_000).toISOString();
  const range = `started_at_ms >= ${Date.parse(week)} and started_at_ms < ${Date.parse(until)}`;
  const time = ["--since", week, "--until", until];
  const commands = {
    "sqlite3, count by tool": [
      "sqlite3",
      db,
      `select tool_name, count(*) from tool_calls where ${range} group by 1`,
    ],
    toolmeter: [process.execPath, SOURCE, ...time],
    "toolmeter, one binary": [BINARY, ...time],
  };
  tell(await inTurns(commands, db), "sqlite3, count by tool");
  for (const words of COMMANDS) {
    const some = await run([BINARY, ...words, ...time], db);
    const all = await run([BINARY, ...words, "--since", "all"], db);
    const shown = ({ ms, peakMb }: Run) =>
      `${ms.toFixed(0).padStart(7)} ms ${peakMb.toFixed(0).padStart(4)} MB`;
    console.log(`  ${words.join(" ").padEnd(18)} 7 days ${shown(some)}   all ${shown(all)}`);
  }
}

await build();
await start();
for (const calls of sizes) await answers(calls);
