/** A command line that makes no sense: exit code 2. */
export class UsageError extends Error {}

export const EXIT = {
  ok: 0,
  /** Something failed while it ran. */
  failure: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** What was asked for was found: `check` and `doctor`. */
  findings: 3,
  /** Stopped by SIGINT. */
  interrupted: 130,
} as const;

/** A failure that is told to the user without a stack. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failure) {
    super(message);
    this.exitCode = exitCode;
  }
}
