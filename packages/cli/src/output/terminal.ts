import { isatty } from "node:tty";
import { forTerminal } from "@toolmeter/present";
import { CommandError } from "../failures/command-error.ts";
import { standardOutput } from "./standard-output.ts";
import { describeSystemError } from "../failures/system-error.ts";

/** The output of a command: data and messages. */
export interface Terminal {
  /**
   * Writes data. Resolves when it is written; rejects with `ReaderLeft` if the reader has closed, otherwise
   * `CommandError`.
   */
  out(text: string): Promise<void>;
  /** Writes a message and a newline. */
  err(text: string): void;
  /** Whether data is written to a terminal. */
  readonly isInteractive: boolean;
  /** Width of the terminal in columns, or an assumed width. */
  readonly columns: number;
  /** Whether data may be coloured. */
  readonly hasColor: boolean;
}

/** The assumed width of a terminal that does not report it. */
const DEFAULT_COLUMNS = 80;

/** The assumed width of a pipe, which has none; wider than a terminal. */
const PIPE_COLUMNS = 160;

/** The reader closed standard output early, as `head` does. Not a failure. */
export class ReaderLeft extends Error {}

/**
 * Returns the terminal of this process. Colours follow `NO_COLOR` (https://no-color.org) and `FORCE_COLOR`.
 *
 * Uses `process.stdout` only for the width of a terminal, because loading it takes longer than most commands.
 */
export function processTerminal(write = standardOutput()): Terminal {
  const isInteractive = isatty(1);
  const columns =
    Number(process.env["COLUMNS"]) || (isInteractive ? process.stdout.columns : PIPE_COLUMNS);
  return {
    async out(text) {
      try {
        await write(text);
      } catch (error) {
        throw toFailure(error);
      }
    },
    err: (text) => void process.stderr.write(`${text}\n`),
    isInteractive,
    columns: columns || DEFAULT_COLUMNS,
    hasColor: wantsColor(isInteractive),
  };
}

function toFailure(error: unknown): unknown {
  if (error instanceof Error && "code" in error && error.code === "EPIPE") return new ReaderLeft();
  const failure = describeSystemError(error, "Expected to write to standard output");
  return failure === undefined ? error : new CommandError(failure);
}

/** Wraps the terminal of every command so that recorded data and command-line arguments cannot control it. */
export function guarded(terminal: Terminal): Terminal {
  const { hasColor, isInteractive } = terminal;
  return {
    ...terminal,
    out: (text) => terminal.out(forTerminal(text, hasColor || isInteractive)),
    err: (text) => terminal.err(forTerminal(text, false)),
  };
}

function wantsColor(isInteractive: boolean): boolean {
  if (process.env["NO_COLOR"]) return false;
  const forced = process.env["FORCE_COLOR"];
  return forced === undefined ? isInteractive && process.env["TERM"] !== "dumb" : forced !== "0";
}
