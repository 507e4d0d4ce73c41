import { type ClientUsage, clients as askClients } from "@toolmeter/core/queries";
import { type AskOptions, answer } from "./ask.ts";
import { pick } from "./pick.ts";
import { OUTPUT_TOKENS, toneOfRate } from "./columns.ts";
import { type Column, table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";

export const CLIENT_COLUMNS: readonly Column<ClientUsage>[] = [
  { header: "client", value: ({ clientName }) => clientName },
  { header: "version", value: ({ clientVersion }) => clientVersion },
  { header: "server", value: ({ serverName }) => serverName },
  { header: "protocol", value: ({ protocolVersion }) => protocolVersion },
  { header: "sessions", kind: "count", value: ({ sessions }) => sessions },
  { header: "calls", kind: "count", value: ({ calls }) => calls },
  {
    header: "error rate",
    kind: "rate",
    value: ({ failureRate }) => failureRate,
    tone: ({ failureRate }) => toneOfRate(failureRate),
  },
  OUTPUT_TOKENS,
  { header: "last call", kind: "time", value: ({ lastCallAt }) => lastCallAt },
];

/** Prints the usage per client. */
export function clients(options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, (source, question) => {
    const { rows, note } = pick(askClients(source, question.filter), question);
    return {
      data: rows,
      sections: [
        table(rows, CLIENT_COLUMNS, {
          note: rows.length === 0 ? "No calls in this period." : note,
        }),
      ],
    };
  });
}
