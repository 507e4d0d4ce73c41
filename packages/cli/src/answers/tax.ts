import { contextTax } from "@toolmeter/core/queries";
import { show } from "@toolmeter/present";
import { type AskOptions, answer } from "./ask.ts";
import { pick } from "./pick.ts";
import { table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";

/** Prints the tokens that definitions take in contexts, and how often the tools are used. */
export function tax(options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, (source, question) => {
    const all = contextTax(source, question.filter);
    const { rows, note } = pick(all, question);
    const sum = (key: "carriedTokens" | "unusedTokens") =>
      show(
        all.reduce((total, row) => total + row[key], 0),
        "tokens",
        question.zone,
      );
    const never = all.filter(({ calls }) => calls === 0).length;
    return {
      data: rows,
      sections: [
        ...(all.length === 0
          ? []
          : [
              [
                `${all.length} definitions took ${sum("carriedTokens")} tokens of context, ${sum("unusedTokens")} of them in sessions that never called the tool. ${never} tools were never called.`,
              ],
            ]),
        table(
          rows,
          [
            { header: "tool", value: ({ toolName }) => toolName },
            { header: "server", value: ({ serverName }) => serverName },
            { header: "tokens", kind: "count", value: ({ definitionTokens }) => definitionTokens },
            { header: "sessions", kind: "count", value: ({ sessions }) => sessions },
            { header: "used in", kind: "count", value: ({ callingSessions }) => callingSessions },
            {
              header: "calls",
              kind: "count",
              value: ({ calls }) => calls,
              tone: ({ calls }) => (calls === 0 ? "bad" : undefined),
            },
            { header: "carried", kind: "tokens", value: ({ carriedTokens }) => carriedTokens },
            { header: "unused", kind: "tokens", value: ({ unusedTokens }) => unusedTokens },
          ],
          {
            note:
              rows.length === 0
                ? "No tool definitions are known for the sessions of this period. They are recorded when a client lists the tools."
                : note,
          },
        ),
      ],
    };
  });
}
