import { join } from "node:path";

/** The root of the repository. */
export const REPOSITORY = join(import.meta.dir, "../../../..");

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process's environment; `undefined` removes a variable. */
  readonly env?: Record<string, string | undefined>;
}

/** Runs a command to its end, its input empty. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = Bun.spawn([...command], {
    cwd: options.cwd ?? REPOSITORY,
    env: { ...process.env, ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [exitCode, stdout, stderr] = await Promise.all([
    child.exited,
    child.stdout.text(),
    child.stderr.text(),
  ]);
  return { exitCode, stdout, stderr };
}

/** Runs a program of `tests/integration/programs` and returns the JSON that it prints. Fails unless it exits with 0. */
export async function runProgram(
  name: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<unknown> {
  const program = join(import.meta.dir, "../integration/programs", `${name}.ts`);
  const outcome = await run([process.execPath, program, ...args], options);
  if (outcome.exitCode !== 0) throw new Error(`${name} failed: ${JSON.stringify(outcome)}`);
  return JSON.parse(outcome.stdout);
}

/** Runs drizzle-kit's own command-line program on the repository's configuration. */
export function drizzleKit(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return run([process.execPath, "x", "--bun", "drizzle-kit", ...args], options);
}
