import { type ErrorClass, errorClasses } from "@toolmeter/core/queries";
import { type AskOptions, answer } from "./ask.ts";
import { pick } from "./pick.ts";
import { type Column, table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";

export const ERROR_COLUMNS: readonly Column<ErrorClass>[] = [
  { header: "tool", value: ({ toolName }) => toolName },
  { header: "status", value: ({ status }) => status, tone: () => "bad" },
  {
    header: "type",
    value: ({ errorType, errorCode }) =>
      [errorType, errorCode].filter((part) => part !== null).join(" ") || null,
  },
  { header: "times", kind: "count", value: ({ failures }) => failures },
  { header: "sessions", kind: "count", value: ({ sessions }) => sessions },
  { header: "last", kind: "time", value: ({ lastAt }) => lastAt },
  { header: "last message", value: ({ lastMessage }) => lastMessage },
];

/** Prints failures grouped by tool and kind of error. */
export function errors(options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, (source, question) => {
    const { rows, note } = pick(errorClasses(source, question.filter), question);
    return {
      data: rows,
      sections: [
        table(rows, ERROR_COLUMNS, {
          note: rows.length === 0 ? "No failures in this period." : note,
        }),
      ],
    };
  });
}
