import {
  type AnalyticsReader,
  clients,
  definitionVersions,
  errorClasses,
  topCalls,
  transitions,
  usage,
} from "@toolmeter/core/queries";
import { type AskOptions, type Question, answer, pick } from "./ask.ts";
import { CALL, CALL_MESSAGE, FIGURES, OUTPUT_TOKENS, toneOfRate } from "./columns.ts";
import { type Column, type Page, table } from "../output/page.ts";
import { change, changeOfShare, show, sparkline } from "../output/format.ts";
import type { Terminal } from "../output/terminal.ts";
import { bucketStarts } from "../time.ts";
import { CLIENT_COLUMNS } from "./clients.ts";
import { ERROR_COLUMNS } from "./errors.ts";

/** Rows of each list of one tool. */
const FEW = 5;

const MAX: Column<{ readonly maxMs: number | null }> = {
  header: "longest",
  kind: "ms",
  value: ({ maxMs }) => maxMs,
};

/** All tools; or all about one. */
export function tools(
  name: string | undefined,
  options: AskOptions,
  terminal: Terminal,
): Promise<void> {
  return answer(options, terminal, (source, question) =>
    name === undefined ? allTools(source, question) : oneTool(source, name, question),
  );
}

function allTools(source: AnalyticsReader, question: Question): Page {
  const { rows, note } = pick(usage(source, question.filter).tools, question);
  return {
    data: rows,
    sections: [
      table(
        rows,
        [{ header: "tool", value: ({ toolName }) => toolName }, ...FIGURES, MAX, OUTPUT_TOKENS],
        {
          note: rows.length === 0 ? "No calls in this time." : note,
        },
      ),
    ],
  };
}

function oneTool(source: AnalyticsReader, name: string, question: Question): Page {
  const { since, until, zone } = question;
  const filter = { ...question.filter, tools: [name] };
  const starts = since === undefined ? [] : bucketStarts(since, until, zone);
  const { totals, buckets } = usage(source, filter, starts);
  const before = question.before && usage(source, { ...question.before, tools: [name] }).totals;
  const data = {
    toolName: name,
    totals,
    before: before ?? null,
    buckets,
    errors: errorClasses(source, filter).slice(0, FEW),
    slowest: topCalls(source, filter, "durationMs", FEW),
    clients: clients(source, filter).slice(0, FEW),
    next: transitions(source, filter)
      .filter(({ from }) => from === name)
      .slice(0, FEW),
    definitions: definitionVersions(source, name, filter),
  };
  if (totals.calls === 0 && data.definitions.length === 0) {
    return {
      data,
      sections: [[`No calls of ${name} in this time. All tools: toolmeter tools --since all`]],
    };
  }
  const periods = [
    { period: "now", ...totals },
    ...(before && before.calls > 0 ? [{ period: "before", ...before }] : []),
  ];
  const trend = `${name}   ${show(totals.calls, "count", zone)} calls   ${sparkline(buckets.map(({ calls }) => calls))}`;
  const differences =
    before && before.calls > 0
      ? `   calls ${change(totals.calls, before.calls)}, error rate ${changeOfShare(totals.failureRate, before.failureRate)}, p95 ${change(totals.p95Ms ?? 0, before.p95Ms ?? 0)}`
      : "";
  return {
    data,
    sections: [
      [trend + differences],
      table(periods, [
        { header: "", value: ({ period }) => period },
        ...FIGURES,
        MAX,
        OUTPUT_TOKENS,
      ]),
      ...listOf(data.errors, ERROR_COLUMNS.slice(1), "Errors"),
      ...listOf(
        data.slowest,
        [...CALL.filter(({ header }) => header !== "tool"), CALL_MESSAGE],
        "Slowest calls",
      ),
      ...listOf(data.clients, CLIENT_COLUMNS, "Clients"),
      ...listOf(
        data.next,
        [
          { header: "tool", value: ({ to }) => to },
          { header: "times", kind: "count", value: ({ count }) => count },
          { header: "share", kind: "rate", value: ({ share }) => share },
          { header: "after a failure", kind: "count", value: ({ afterFailure }) => afterFailure },
        ],
        "What follows",
      ),
      ...listOf(
        data.definitions,
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
        "Versions of its definition",
      ),
    ],
  };
}

function listOf<Row>(rows: readonly Row[], columns: readonly Column<Row>[], title: string) {
  return rows.length === 0 ? [] : [table(rows, columns, { title })];
}
