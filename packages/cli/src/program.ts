import { Command } from "@commander-js/extra-typings";
import { version } from "../package.json";
import { COMMANDS } from "./commands/index.ts";
import type { Terminal } from "./output/terminal.ts";

/**
 * Creates the program with every command. The code of a command is loaded when the command runs.
 * @param exit Receives the exit code of a command.
 * @param print Receives the help or version text; commander does not await it.
 */
export function makeProgram(
  terminal: Terminal,
  exit: (code: number) => void,
  print: (text: string) => void,
): Command {
  const program = new Command("toolmeter")
    .description("Record MCP tool calls and analyse them.")
    .version(version)
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .showHelpAfterError("(try toolmeter --help)")
    .configureOutput({
      writeOut: print,
      writeErr: (text) => terminal.err(text.trimEnd()),
      getOutHelpWidth: () => terminal.columns,
      getOutHasColors: () => terminal.hasColor,
    })
    .exitOverride()
    .helpOption("-h, --help", "show help for a command")
    .helpCommand(false)
    .addHelpText(
      "after",
      `
Without a command, toolmeter reports on the last 7 days.

Examples:
  $ toolmeter record npx -y @modelcontextprotocol/server-memory
  $ toolmeter --since 24h --server github
  $ toolmeter tools create_issue
  $ toolmeter check --p95 500ms --error-rate 2%

Exit codes: 0 success, 1 failure, 2 incorrect usage, 3 check or doctor found a problem, 130 interrupted.`,
    );
  const line = {
    terminal,
    exit,
    command: (name: string, description: string, examples: readonly string[]) =>
      program
        .command(name)
        .description(description)
        .allowExcessArguments(false)
        .addHelpText("after", `\nExamples:\n${examples.map((each) => `  $ ${each}`).join("\n")}`),
    commands: () => program.createHelp().visibleCommands(program),
  };
  for (const declare of COMMANDS) declare(line);
  // The server that `doctor` calls.
  program
    .command("echo-server", { hidden: true })
    .action(async () => (await import("./doctor/echo-server.ts")).echoServer());
  return program;
}
