import { confusion as askConfusion } from "@toolmeter/core/queries";
import { type AskOptions, answer } from "./ask.ts";
import { pick } from "./pick.ts";
import { table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";

/** Prints signs that models struggle with tools. */
export function confusion(options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, (source, question) => {
    const found = askConfusion(source, question.filter);
    // The lists have different fields, so each keeps its own order.
    const selection = { ...question, sort: undefined };
    const retries = pick(found.retries, selection);
    const loops = pick(found.loops, selection);
    const substitutions = pick(found.substitutions, selection);
    return {
      data: { retries: retries.rows, loops: loops.rows, substitutions: substitutions.rows },
      sections: [
        table(
          retries.rows,
          [
            { header: "tool", value: ({ toolName }) => toolName },
            { header: "rejected", kind: "count", value: ({ rejections }) => rejections },
            { header: "retried", kind: "count", value: ({ retried }) => retried },
            { header: "recovered", kind: "count", value: ({ recovered }) => recovered },
            { header: "main reason", value: ({ errorType }) => errorType },
          ],
          { title: "Retries after a rejection", note: noteOf(retries) },
        ),
        table(
          loops.rows,
          [
            { header: "tool", value: ({ toolName }) => toolName },
            { header: "loops", kind: "count", value: ({ loops: count }) => count },
            { header: "calls in loops", kind: "count", value: ({ calls }) => calls },
            { header: "longest", kind: "count", value: ({ longest }) => longest },
            { header: "session", value: ({ sessionId }) => sessionId },
          ],
          { title: "Repeated identical calls", note: noteOf(loops) },
        ),
        table(
          substitutions.rows,
          [
            { header: "failed tool", value: ({ from }) => from },
            { header: "used instead", value: ({ to }) => to },
            { header: "times", kind: "count", value: ({ count }) => count },
            { header: "share of failures", kind: "rate", value: ({ share }) => share },
          ],
          {
            title: "Successful calls of another tool after a failure",
            note: noteOf(substitutions),
          },
        ),
      ],
    };
  });
}

/** Returns the note about omitted rows, or `None.` for an empty list. */
function noteOf({ rows, note }: ReturnType<typeof pick>): string | undefined {
  return rows.length === 0 ? "None." : note;
}
