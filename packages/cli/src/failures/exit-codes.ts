export const EXIT = {
  ok: 0,
  /** A command failed. */
  failure: 1,
  /** The command line is invalid. */
  usage: 2,
  /** `check` or `doctor` found a problem. */
  findings: 3,
  /** Stopped by SIGINT. */
  interrupted: 130,
} as const;
