import { elide } from "./text.ts";

const { stderr } = process;
const CLEAR_LINE = "\r\u001B[2K";

/** What the demo does, on stderr, so that stdout holds nothing but the report. */
export const progress = {
  /** One line for each phase of the work. */
  phase(text: string): void {
    this.clear();
    stderr.write(`${text}\n`);
  },
  /** What happens this moment: a line that is overwritten, on terminals only. */
  now(text: string): void {
    if (stderr.isTTY) stderr.write(CLEAR_LINE + elide(text, stderr.columns - 1));
  },
  clear(): void {
    if (stderr.isTTY) stderr.write(CLEAR_LINE);
  },
};
