import type { Command, CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Terminal } from "../output/terminal.ts";

/** What each file of this folder needs to declare its command. */
export interface CommandLine {
  readonly terminal: Terminal;
  /** Sets the exit code of the process. Default: 0. */
  readonly exit: (code: number) => void;
  /** Adds a command: `description` is for the list of commands, `examples` for the command's own help. */
  readonly command: (name: string, description: string, examples: readonly string[]) => Command;
  /** Returns the commands that the help lists. */
  readonly commands: () => readonly CommandUnknownOpts[];
}
