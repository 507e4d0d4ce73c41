import {
  type AnalyticsReader,
  type ToolDetails,
  toolDetails,
  usage,
} from "@toolmeter/core/queries";
import { change, changeOfShare, show, sparkline } from "@toolmeter/present";
import { type Column, type Page, table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";
import { type AskOptions, type Question, answer } from "./ask.ts";
import { CLIENT_COLUMNS } from "./clients.ts";
import { CALL, CALL_MESSAGE, FIGURES, OUTPUT_TOKENS, TOOL, toneOfRate } from "./columns.ts";
import { ERROR_COLUMNS } from "./errors.ts";
import { pick } from "./pick.ts";

const MAX: Column<{ readonly maxMs: number | null }> = {
  header: "longest",
  kind: "ms",
  value: ({ maxMs }) => maxMs,
};

/** Prints the usage of all tools, or the details of one. */
export function tools(
  name: string | undefined,
  options: AskOptions,
  terminal: Terminal,
): Promise<void> {
  return answer(options, terminal, (source, question) =>
    name === undefined
      ? allTools(source, question)
      : oneTool(toolDetails(source, name, question.filter, question), question.zone),
  );
}

function allTools(source: AnalyticsReader, question: Question): Page {
  const { rows, note } = pick(usage(source, question.filter).tools, question);
  return {
    data: rows,
    sections: [
      table(rows, [TOOL, ...FIGURES, MAX, OUTPUT_TOKENS], {
        note: rows.length === 0 ? "No calls in this period." : note,
      }),
    ],
  };
}

function oneTool(data: ToolDetails, zone: string): Page {
  const { toolName, totals, before, errors, slowest, clients, next, definitions } = data;
  if (totals.calls === 0 && definitions.length === 0) {
    return {
      data,
      sections: [
        [`No calls to ${toolName} in this period. To list all tools: toolmeter tools --since all`],
      ],
    };
  }
  const periods = [
    { period: "this period", ...totals },
    ...(before && before.calls > 0 ? [{ period: "previous", ...before }] : []),
  ];
  return {
    data,
    sections: [
      [headline(data, zone)],
      table(periods, [
        { header: "", value: ({ period }) => period },
        ...FIGURES,
        MAX,
        OUTPUT_TOKENS,
      ]),
      ...listOf(errors, ERROR_COLUMNS.slice(1), "Errors"),
      ...listOf(
        slowest,
        [...CALL.filter(({ header }) => header !== "tool"), CALL_MESSAGE],
        "Slowest calls",
      ),
      ...listOf(clients, CLIENT_COLUMNS, "Clients"),
      ...listOf(
        next,
        [
          { header: "tool", value: ({ to }) => to },
          { header: "times", kind: "count", value: ({ count }) => count },
          { header: "share", kind: "rate", value: ({ share }) => share },
          { header: "after failure", kind: "count", value: ({ afterFailure }) => afterFailure },
        ],
        "Next tools",
      ),
      ...listOf(
        definitions,
        [
          { header: "first seen", kind: "time", value: ({ firstSeenAt }) => firstSeenAt },
          { header: "last seen", kind: "time", value: ({ lastSeenAt }) => lastSeenAt },
          { header: "tokens", kind: "count", value: ({ tokens }) => tokens },
          ...FIGURES.filter(({ header }) => header !== "p99"),
          {
            header: "rejected",
            kind: "rate",
            value: ({ rejectionRate }) => rejectionRate,
            tone: ({ rejectionRate }) => toneOfRate(rejectionRate),
          },
          { header: "hash", value: ({ hash }) => hash.slice(0, 8) },
        ],
        "Definition versions",
      ),
    ],
  };
}

/** Returns the tool's name, its calls over time, and the changes since the previous period. */
function headline({ toolName, totals, before, buckets }: ToolDetails, zone: string): string {
  const trend = `${toolName}   ${show(totals.calls, "count", zone)} calls   ${sparkline(buckets.map(({ calls }) => calls))}`;
  if (!before || before.calls === 0) return trend;
  return `${trend}   calls ${change(totals.calls, before.calls)}, error rate ${changeOfShare(totals.failureRate, before.failureRate)}, p95 ${change(totals.p95Ms ?? 0, before.p95Ms ?? 0)}`;
}

function listOf<Row>(rows: readonly Row[], columns: readonly Column<Row>[], title: string) {
  return rows.length === 0 ? [] : [table(rows, columns, { title })];
}
