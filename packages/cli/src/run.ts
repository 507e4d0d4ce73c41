import { CommanderError } from "commander";
import { InputError } from "@toolmeter/present";
import { CommandError } from "./failures/command-error.ts";
import { EXIT } from "./failures/exit-codes.ts";
import { makeProgram } from "./program.ts";
import { describeSystemError } from "./failures/system-error.ts";
import { ReaderLeft, type Terminal, guarded } from "./output/terminal.ts";

/**
 * Runs a command line. The default command is `report`.
 * @returns The exit code: 0, 1 (failure), 2 (incorrect usage), 3 (`check` or `doctor` found a problem), or that of the
 * recorded server.
 */
export async function run(words: readonly string[], given: Terminal): Promise<number> {
  const terminal = guarded(given);
  let code: number = EXIT.ok;
  let help = "";
  const program = makeProgram(
    terminal,
    (exitCode) => void (code = exitCode),
    (text) => void (help += text),
  );
  try {
    try {
      await program.parseAsync(withCommand(words), { from: "user" });
    } finally {
      if (help !== "") await terminal.out(help);
    }
    return code;
  } catch (error) {
    return explain(error, terminal);
  }
}

/** Inserts `report` before options without a command, except for the program's own help and version options. */
function withCommand(words: readonly string[]): readonly string[] {
  const [first] = words;
  const isProgram = first !== undefined && ["-h", "--help", "-V", "--version"].includes(first);
  return first === undefined || (first.startsWith("-") && !isProgram)
    ? ["report", ...words]
    : words;
}

const FIRST_STEPS = `To record calls: toolmeter record <server command>, or toolmeter install <client>. To try it with sample data: toolmeter demo`;

/** Prints the error with its remedy and returns the exit code. Prints a stack trace only for unexpected errors. */
function explain(error: unknown, terminal: Terminal): number {
  if (error instanceof ReaderLeft) return EXIT.ok;
  // Commander has printed it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof InputError) {
    terminal.err(`error: ${error.message}`);
    return EXIT.usage;
  }
  if (error instanceof CommandError) {
    terminal.err(`error: ${error.message}`);
    return error.exitCode;
  }
  const sentence = describeSystemError(error) ?? describeDatabaseError(error);
  if (sentence !== undefined) {
    terminal.err(`error: ${sentence}`);
    if (isCoded(error) && error.code === "not_found") terminal.err(FIRST_STEPS);
  } else terminal.err(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return EXIT.failure;
}

function describeDatabaseError(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.name === "AnalyticsError") return error.message;
  // An error that occurs during a query, not when opening the file.
  const isSqlites = isCoded(error) && error.code.startsWith("SQLITE_");
  return isSqlites
    ? `Expected a result from the database, but SQLite reports: ${error.message} (${error.code}). To check the file: toolmeter doctor --deep`
    : undefined;
}

function isCoded(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}
