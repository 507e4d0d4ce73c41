import {
  type AnalyticsReader,
  type ToolUsage,
  countCalls,
  usage,
  usageTotals,
} from "@toolmeter/core/queries";
import { type AskOptions, type Question, answer, pick } from "./ask.ts";
import { FIGURES, OUTPUT_TOKENS } from "./columns.ts";
import {
  change,
  changeOfShare,
  duration,
  percent,
  show,
  shortTime,
  sparkline,
} from "../output/format.ts";
import { type Page, table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";
import { bucketStarts } from "../time.ts";

/** The most useful page: what was called, how it went, what changed, and what to look at next. */
export function report(options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, (source, question) => {
    const { filter, since, until, zone } = question;
    const now = usage(source, filter, since === undefined ? [] : bucketStarts(since, until, zone));
    const before = question.before && usageTotals(source, question.before);
    const worstFirst = now.tools.toSorted(
      (a, b) => b.failures - a.failures || (b.p95Ms ?? 0) - (a.p95Ms ?? 0),
    );
    const { rows, note } = pick(worstFirst, question);
    const ahead = countAhead(source, question);
    return toPage({ ...now, tools: rows, before, ahead, path: source.path, question, note });
  });
}

type Usage = ReturnType<typeof usage>;
type Totals = ReturnType<typeof usageTotals>;

interface Answer extends Usage {
  readonly before: Totals | undefined;
  /** Calls that say they were made later than now. */
  readonly ahead: number;
  readonly path: string;
  readonly question: Question;
  readonly note: string | undefined;
}

/** Clocks that differ by no more than this, in milliseconds, are taken for equal. */
const CLOCK_DIFFERENCE_MS = 60_000;

function countAhead(source: AnalyticsReader, { filter, since = 0, now }: Question): number {
  const from = Math.max(since, now + CLOCK_DIFFERENCE_MS);
  return countCalls(source, { ...filter, since: from });
}

function toPage({ totals, tools, buckets, before, ahead, path, question, note }: Answer): Page {
  const { since, until, zone } = question;
  const data = {
    path,
    since: since ?? null,
    until,
    totals,
    before: before ?? null,
    tools,
    buckets,
  };
  const title = `${titleOf(question)} · ${path}`;
  if (totals.calls === 0) {
    return {
      data,
      sections: [
        [title],
        [
          `No calls. A longer time: toolmeter --since all. Nothing recorded yet: toolmeter record <server's command>.`,
        ],
      ],
    };
  }
  const compared = (text: string) => (before && before.calls > 0 ? text : "");
  const figures: readonly [string, string, string, string][] = [
    [
      "calls",
      show(totals.calls, "count", zone),
      compared(change(totals.calls, before?.calls ?? 0)),
      sparkline(buckets.map(({ calls }) => calls)),
    ],
    [
      "error rate",
      percent(totals.failureRate),
      compared(changeOfShare(totals.failureRate, before?.failureRate ?? 0)),
      sparkline(buckets.map(({ failures }) => failures)),
    ],
    [
      "p50 · p95 · p99",
      [totals.p50Ms, totals.p95Ms, totals.p99Ms].map((ms) => duration(ms ?? 0)).join(" · "),
      "",
      "",
    ],
    [
      "sessions",
      show(totals.sessions, "count", zone),
      compared(change(totals.sessions, before?.sessions ?? 0)),
      "",
    ],
    [
      "output tokens",
      show(totals.outputTokens, "tokens", zone),
      compared(change(totals.outputTokens, before?.outputTokens ?? 0)),
      "",
    ],
  ];
  return {
    data,
    sections: [
      [title],
      figures.map(([name, value, difference, line]) =>
        `${name.padEnd(17)}${value.padEnd(line || difference ? 10 : 0)} ${difference.padEnd(9)}${line}`.trimEnd(),
      ),
      ...(ahead > 0
        ? [
            [
              `${show(ahead, "count", zone)} of these calls are stamped later than now: a clock ran ahead. Without them: --until 0s`,
            ],
          ]
        : []),
      table(
        tools,
        [{ header: "tool", value: ({ toolName }) => toolName }, ...FIGURES, OUTPUT_TOKENS],
        {
          note,
        },
      ),
      [
        "Look at next",
        ...nextSteps(tools).map(([what, command]) => `  ${command.padEnd(32)}  ${what}`),
      ],
    ],
  };
}

/** `Last 7 days`, or from when to when. */
function titleOf({ filter, since, until, zone }: Question): string {
  const isUntilNow = filter.until === undefined;
  if (since === undefined) return isUntilNow ? "All time" : `Until ${shortTime(until, zone)}`;
  if (since >= until) return `From ${shortTime(since, zone)}`;
  const range = `${shortTime(since, zone)} – ${shortTime(until, zone)}`;
  const days = (until - since) / 86_400_000;
  return isUntilNow && Number.isInteger(days) ? `Last ${days} days · ${range}` : range;
}

/** A command to copy: a name in it is one word to a shell, whatever it holds. */
function toolCommand({ toolName }: ToolUsage): string {
  return `toolmeter tools ${Bun.$.escape(toolName)}`;
}

/** Commands that show more of what stands out. */
function nextSteps(tools: readonly ToolUsage[]): readonly (readonly [string, string])[] {
  const failing = tools.toSorted((a, b) => b.failures - a.failures)[0];
  const slow = tools.toSorted((a, b) => b.totalMs - a.totalMs)[0];
  return [
    ...(failing && failing.failures > 0
      ? [[`fails in ${percent(failing.failureRate)} of its calls`, toolCommand(failing)] as const]
      : []),
    ...(slow && slow !== failing
      ? [[`takes the most time: ${duration(slow.totalMs)} in all`, toolCommand(slow)] as const]
      : []),
    ["what goes wrong, by kind", "toolmeter errors"],
    ["definitions that cost more than they are used", "toolmeter tax"],
  ];
}
