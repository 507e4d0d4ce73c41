import { confusion as askConfusion } from "@toolmeter/core/queries";
import { type AskOptions, answer } from "./ask.ts";
import { pick } from "./pick.ts";
import { table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";

/** Where models do not get on with the tools. */
export function confusion(options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, (source, question) => {
    const found = askConfusion(source, question.filter);
    // Their fields differ: each list keeps its own order.
    const few = { ...question, sort: undefined };
    const retries = pick(found.retries, few);
    const loops = pick(found.loops, few);
    const substitutions = pick(found.substitutions, few);
    return {
      data: { retries: retries.rows, loops: loops.rows, substitutions: substitutions.rows },
      sections: [
        table(
          retries.rows,
          [
            { header: "tool", value: ({ toolName }) => toolName },
            { header: "rejected", kind: "count", value: ({ rejections }) => rejections },
            { header: "retried", kind: "count", value: ({ retried }) => retried },
            { header: "then right", kind: "count", value: ({ recovered }) => recovered },
            { header: "mostly for", value: ({ errorType }) => errorType },
          ],
          { title: "Retries after a rejection", note: noteOf(retries) },
        ),
        table(
          loops.rows,
          [
            { header: "tool", value: ({ toolName }) => toolName },
            { header: "loops", kind: "count", value: ({ loops: count }) => count },
            { header: "calls in them", kind: "count", value: ({ calls }) => calls },
            { header: "longest", kind: "count", value: ({ longest }) => longest },
            { header: "session", value: ({ sessionId }) => sessionId },
          ],
          { title: "The same call again and again", note: noteOf(loops) },
        ),
        table(
          substitutions.rows,
          [
            { header: "failed", value: ({ from }) => from },
            { header: "did it instead", value: ({ to }) => to },
            { header: "times", kind: "count", value: ({ count }) => count },
            { header: "of its failures", kind: "rate", value: ({ share }) => share },
          ],
          { title: "One tool fails, another follows", note: noteOf(substitutions) },
        ),
      ],
    };
  });
}

/** What is left out, or that there is nothing. */
function noteOf({ rows, note }: ReturnType<typeof pick>): string | undefined {
  return rows.length === 0 ? "None." : note;
}
