import { EXIT } from "./failures/exit-codes.ts";
import { run } from "./run.ts";
import { processTerminal } from "./output/terminal.ts";

/** Runs the command line of this process and exits with its code. */
export async function main(words: readonly string[]): Promise<void> {
  const code = await run(words, processTerminal());
  // Exit explicitly, because other handles may still be open. All output is already written.
  process.exit(code ?? EXIT.ok);
}
