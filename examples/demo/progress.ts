const { stderr } = process;
const CLEAR_LINE = "\r\u001B[2K";

/** Tells on stderr what the demo does: stdout holds the report only. */
export const progress = {
  /** One line per phase. */
  phase(text: string): void {
    this.clear();
    stderr.write(`${text}\n`);
  },
  /** The current step: a line that the next one overwrites, on terminals only. */
  now(text: string): void {
    if (stderr.isTTY) stderr.write(CLEAR_LINE + text.slice(0, stderr.columns - 1));
  },
  clear(): void {
    if (stderr.isTTY) stderr.write(CLEAR_LINE);
  },
};
