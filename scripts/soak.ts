/**
 * The long runs of the tests, each in its number of rounds:
 *
 *   bun run soak [name] [rounds]
 *
 * All of them without a name. Exits with 1 if one fails. `TOOLMETER_ROUNDS` carries the number to the test.
 */
const RUNS = {
  kill: { rounds: 200, tests: ["packages/core/tests/integration/kill.test.ts"] },
  exit: { rounds: 20, tests: ["packages/core/tests/integration/exit.test.ts"] },
  replaced: { rounds: 4, tests: ["packages/core/tests/integration/replaced-file.test.ts"] },
} as const satisfies Record<string, { readonly rounds: number; readonly tests: readonly string[] }>;

/** Coverage of a few files alone is below the threshold. */
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
