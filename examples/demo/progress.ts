const { stderr } = process;
const CLEAR_LINE = "\r\u001B[2K";

/** Reports progress on stderr, because stdout contains only the report. */
export const progress = {
  /** Prints a line per phase. */
  phase(text: string): void {
    this.clear();
    stderr.write(`${text}\n`);
  },
  /** Shows the current step on a line that the next step overwrites. Only on terminals. */
  now(text: string): void {
    if (stderr.isTTY) stderr.write(CLEAR_LINE + text.slice(0, stderr.columns - 1));
  },
  clear(): void {
    if (stderr.isTTY) stderr.write(CLEAR_LINE);
  },
};
