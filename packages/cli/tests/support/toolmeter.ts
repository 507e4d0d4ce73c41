import { run } from "../../src/run.ts";
import type { Terminal } from "../../src/output/terminal.ts";

export interface Outcome {
  readonly code: number;
  /** What was written to standard output. */
  readonly out: string;
  /** What was said beside it. */
  readonly err: string;
}

export interface RunOptions {
  readonly columns?: number;
  readonly hasColor?: boolean;
  readonly isInteractive?: boolean;
}

/** A terminal that remembers. */
export function memoryTerminal({
  columns = 100,
  hasColor = false,
  isInteractive = false,
}: RunOptions = {}) {
  const written = { out: "", err: "" };
  const terminal: Terminal = {
    columns,
    hasColor,
    isInteractive,
    out: async (text) => void (written.out += text),
    err: (text) => void (written.err += `${text}\n`),
  };
  return { terminal, written };
}

/** Runs a command line in this process. */
export async function toolmeter(
  words: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const { terminal, written } = memoryTerminal(options);
  const code = await run(words, terminal);
  return { code, ...written };
}

/** The answer of a command line that asks for JSON. */
export async function json(...words: readonly string[]): Promise<unknown> {
  const outcome = await toolmeter([...words, "--json"]);
  if (outcome.code !== 0) throw new Error(JSON.stringify(outcome));
  return JSON.parse(outcome.out);
}
