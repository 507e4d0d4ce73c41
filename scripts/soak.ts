/**
 * Runs tests many times:
 *
 *   bun run soak [name] [rounds]
 *
 * Without a name, runs all of them. Exits with 1 if one fails. `TOOLMETER_ROUNDS` passes the number to the test.
 */
const RUNS = {
  /** SIGKILL at random moments under load. */
  kill: { rounds: 200, tests: ["packages/core/tests/integration/kill.test.ts"] },
  /** Each way in which a process can end. */
  exit: { rounds: 20, tests: ["packages/core/tests/integration/exit.test.ts"] },
  /** Each way to move, restore or overwrite the file under recorders: 29 trials per round. */
  replaced: { rounds: 4, tests: ["packages/core/tests/integration/replaced-file.test.ts"] },
  /** Disks that fill up at random moments. */
  "full-disk": { rounds: 50, tests: ["packages/core/tests/integration/full-disk-ends.test.ts"] },
  /** Random histories of a journal and its files. */
  journal: { rounds: 700, tests: ["packages/core/tests/integration/journal-history.test.ts"] },
  /** Locks of up to a minute, and twelve recorders that start together on a new file. */
  "busy-start": { rounds: 20, tests: ["packages/core/tests/integration/busy-start.test.ts"] },
  /** Eight processes that open one new file at once. */
  "open-together": { rounds: 50, tests: ["packages/core/tests/integration/open-together.test.ts"] },
  /** Calls from each of eight processes that record into one file. */
  together: {
    rounds: 10_000,
    tests: ["packages/core/tests/integration/record-together.test.ts"],
  },
  /** Exchanges over stdio, with and without the recorder. */
  exchanges: { rounds: 1_000, tests: ["packages/cli/tests/integration/record-model.test.ts"] },
  /** Requests, paths and bodies through the HTTP recorder. */
  http: {
    rounds: 10,
    tests: [
      "packages/cli/tests/integration/record-http-passage.test.ts",
      "packages/cli/tests/integration/record-http-streams.test.ts",
    ],
  },
} as const satisfies Record<string, { readonly rounds: number; readonly tests: readonly string[] }>;

/** Without coverage: a few test files alone do not reach the threshold. */
const CONFIG = Bun.fileURLToPath(new URL("soak.toml", import.meta.url));
const HOUR_MS = "3600000";

const [name, count] = process.argv.slice(2);
if (name !== undefined && !Object.hasOwn(RUNS, name)) {
  console.error(`Expected one of ${Object.keys(RUNS).join(", ")}, got ${JSON.stringify(name)}.`);
  process.exit(2);
}

let failed = 0;
for (const [run, { rounds, tests }] of Object.entries(RUNS)) {
  if (name !== undefined && name !== run) continue;
  const times = count ?? String(rounds);
  console.log(`\n${run}: ${times} rounds`);
  const command = [process.execPath, `--config=${CONFIG}`, "test", "--timeout", HOUR_MS, ...tests];
  const { exitCode } = Bun.spawnSync(command, {
    env: { ...process.env, TOOLMETER_ROUNDS: times },
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (exitCode !== 0) failed += 1;
}
console.log(`\n${failed} of the runs failed.`);
process.exitCode = failed === 0 ? 0 : 1;
