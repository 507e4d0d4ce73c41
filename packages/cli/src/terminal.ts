import { isatty } from "node:tty";
import type { FileSink } from "bun";

/** Where a command writes: data on the one side, all that is said about it on the other. */
export interface Terminal {
  /** Data. Resolves when it is taken; rejects when nobody reads any more. */
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
export function processTerminal(): Terminal {
  const isInteractive = isatty(1);
  // Made when it is needed: it makes standard output non-blocking, and `record` hands that to others.
  let sink: FileSink | undefined;
  const columns =
    Number(process.env["COLUMNS"]) || (isInteractive ? process.stdout.columns : PIPE_COLUMNS);
  return {
    async out(text) {
      sink ??= Bun.stdout.writer();
      try {
        await sink.write(text);
        await sink.flush();
      } catch (error) {
        throw error instanceof Error && "code" in error && error.code === "EPIPE"
          ? new ReaderLeft()
          : error;
      }
    },
    err: (text) => void process.stderr.write(`${text}\n`),
    isInteractive,
    columns: columns || DEFAULT_COLUMNS,
    hasColor: wantsColor(isInteractive),
  };
}

function wantsColor(isInteractive: boolean): boolean {
  if (process.env["NO_COLOR"]) return false;
  const forced = process.env["FORCE_COLOR"];
  return forced === undefined ? isInteractive && process.env["TERM"] !== "dumb" : forced !== "0";
}
