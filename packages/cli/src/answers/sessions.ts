import { type SessionSummary, latestSessions } from "@toolmeter/core/queries";
import { type AskOptions, answer } from "./ask.ts";
import { pick } from "./pick.ts";
import { OUTPUT_TOKENS } from "./columns.ts";
import { type Column, table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";

export const SESSION_COLUMNS: readonly Column<SessionSummary>[] = [
  { header: "started", kind: "time", value: ({ startedAt }) => startedAt },
  {
    header: "duration",
    kind: "ms",
    value: ({ startedAt, endedAt }) => (endedAt === null ? null : endedAt - startedAt),
  },
  { header: "client", value: ({ clientName }) => clientName },
  { header: "server", value: ({ serverName }) => serverName },
  { header: "calls", kind: "count", value: ({ calls }) => calls },
  {
    header: "failed",
    kind: "count",
    value: ({ failures }) => failures,
    tone: ({ failures }) => (failures > 0 ? "bad" : undefined),
  },
  OUTPUT_TOKENS,
  { header: "end", value: ({ endedAt, endReason }) => (endedAt === null ? "open" : endReason) },
  { header: "session", value: ({ id }) => id },
];

/** Prints the latest sessions. */
export function sessions(options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, (source, question) => {
    // Another order needs all sessions.
    const limit =
      question.sort === undefined && Number.isFinite(question.limit) ? question.limit + 1 : -1;
    const { rows, note } = pick(latestSessions(source, question.filter, limit), question);
    return {
      data: rows,
      sections: [
        table(rows, SESSION_COLUMNS, {
          note:
            rows.length === 0
              ? "No sessions in this period."
              : note && "… and more: --limit 0 shows all",
        }),
      ],
    };
  });
}
