import { join } from "node:path";

/** The command line of Toolmeter as a process. */
export const TOOLMETER = [
  process.execPath,
  join(import.meta.dir, "../../src/toolmeter.ts"),
] as const;

export interface CommandOptions {
  /** Words before the command, such as those of `setpriv`. */
  readonly prefix?: readonly string[];
  /** What a shell does with its streams, such as `>&-`. */
  readonly redirection?: string;
  readonly env?: Record<string, string | undefined>;
}

/** Runs the command as a process of its own, its streams redirected by a shell. */
export async function command(
  words: readonly string[],
  { prefix = [], redirection = "", env = {} }: CommandOptions = {},
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const child = Bun.spawn(
    ["sh", "-c", `exec "$@" ${redirection}`, "sh", ...prefix, ...TOOLMETER, ...words],
    {
      env: { ...process.env, NO_COLOR: undefined, FORCE_COLOR: undefined, ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, out, err };
}
