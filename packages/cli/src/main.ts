import { EXIT } from "./failures/exit-codes.ts";
import { run } from "./run.ts";
import { processTerminal } from "./output/terminal.ts";

/** Runs the command line of this process, and sets its exit code. */
export async function main(words: readonly string[]): Promise<void> {
  const code = await run(words, processTerminal());
  // Handles of others may be open still; what was written has been taken.
  process.exit(code ?? EXIT.ok);
}
