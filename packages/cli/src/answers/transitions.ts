import { transitions as askTransitions } from "@toolmeter/core/queries";
import { type AskOptions, answer } from "./ask.ts";
import { pick } from "./pick.ts";
import { table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";

/** Prints which tool is called after which. */
export function transitions(options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, (source, question) => {
    const { rows, note } = pick(askTransitions(source, question.filter), question);
    return {
      data: rows,
      sections: [
        table(
          rows,
          [
            { header: "tool", value: ({ from }) => from },
            { header: "next tool", value: ({ to }) => to },
            { header: "times", kind: "count", value: ({ count }) => count },
            { header: "share", kind: "rate", value: ({ share }) => share },
            { header: "after failure", kind: "count", value: ({ afterFailure }) => afterFailure },
            { header: "mean gap", kind: "ms", value: ({ meanGapMs }) => meanGapMs },
          ],
          { note: rows.length === 0 ? "No session in this period has two calls." : note },
        ),
      ],
    };
  });
}
