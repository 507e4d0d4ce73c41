import { CommanderError } from "commander";
import { CommandError, EXIT, UsageError } from "./errors.ts";
import { makeProgram } from "./program.ts";
import { ReaderLeft, type Terminal, guarded } from "./terminal.ts";

/**
 * Runs a command line. Without a command it is `report`.
 * @returns The exit code: 0, 1 (it failed), 2 (it makes no sense), 3 (`check` and `doctor` found something), or that of
 * the server that was recorded.
 */
export async function run(words: readonly string[], given: Terminal): Promise<number> {
  const terminal = guarded(given);
  let code: number = EXIT.ok;
  const program = makeProgram(terminal, (exitCode) => {
    code = exitCode;
  });
  try {
    await program.parseAsync(withCommand(words), { from: "user" });
    return code;
  } catch (error) {
    return explain(error, terminal);
  }
}

/** Options without a command are those of `report`; help and the version are the program's. */
function withCommand(words: readonly string[]): readonly string[] {
  const [first] = words;
  const isProgram = first !== undefined && ["-h", "--help", "-V", "--version"].includes(first);
  return first === undefined || (first.startsWith("-") && !isProgram)
    ? ["report", ...words]
    : words;
}

const FIRST_STEPS = `To record: toolmeter record <a server's command>, or toolmeter install <client>. To try it out: toolmeter demo`;

/** Tells what went wrong, and how it is meant. */
function explain(error: unknown, terminal: Terminal): number {
  if (error instanceof ReaderLeft) return EXIT.ok;
  // Commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UsageError) {
    terminal.err(`error: ${error.message}`);
    return EXIT.usage;
  }
  if (error instanceof CommandError) {
    terminal.err(`error: ${error.message}`);
    return error.exitCode;
  }
  const isExplained = error instanceof Error && error.name === "AnalyticsError";
  if (isExplained) {
    terminal.err(`error: ${error.message}`);
    if ("code" in error && error.code === "not_found") terminal.err(FIRST_STEPS);
  } else terminal.err(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return EXIT.failure;
}
