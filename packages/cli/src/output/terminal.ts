import { isatty } from "node:tty";
import { forTerminal } from "@toolmeter/present";
import { CommandError } from "../failures/command-error.ts";
import { standardOutput } from "./standard-output.ts";
import { describeSystemError } from "../failures/system-error.ts";

/** Where a command writes: data on the one side, all that is said about it on the other. */
export interface Terminal {
  /** Data. Resolves when it is taken; rejects with `ReaderLeft` or, if it could not be written, `CommandError`. */
  out(text: string): Promise<void>;
  /** Messages, with their line's end. */
  err(text: string): void;
  /** Whether a person reads the data as it comes. */
  readonly isInteractive: boolean;
  /** Columns of the terminal, or of what is taken for one. */
  readonly columns: number;
  /** Whether data may be coloured. */
  readonly hasColor: boolean;
}

/** What is taken for the width when nothing says it. */
const DEFAULT_COLUMNS = 80;

/** A pipe gets whole lines: whoever reads them has no width. */
const PIPE_COLUMNS = 160;

/** The reader of our output has left, as `head` does: no fault. */
export class ReaderLeft extends Error {}

/**
 * The process's own terminal. Colours as `NO_COLOR` (https://no-color.org) and `FORCE_COLOR` say.
 *
 * To load `process.stdout` takes longer than most answers: it is asked for the width of a terminal alone.
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

/** The exit of every command: nothing that others wrote, and none of our own arguments, steers the terminal. */
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
