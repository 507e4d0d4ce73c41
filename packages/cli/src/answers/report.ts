import { type Report, type ToolUsage, report as askReport } from "@toolmeter/core/queries";
import {
  change,
  changeOfShare,
  duration,
  percent,
  shortTime,
  show,
  sparkline,
} from "@toolmeter/present";
import { type Page, type Section, table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";
import { type AskOptions, type Question, answer } from "./ask.ts";
import { FIGURES, OUTPUT_TOKENS, TOOL } from "./columns.ts";
import { pick } from "./pick.ts";

/** The most useful page: what was called, how it went, what changed, and what to look at next. */
export function report(options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, (source, question) => {
    const found = askReport(source, question.filter, question);
    const { rows: tools, note } = pick(found.tools, question);
    return toPage({ ...found, tools, path: source.path, note }, question);
  });
}

interface Answer extends Report {
  readonly path: string;
  readonly note: string | undefined;
}

function toPage(found: Answer, question: Question): Page {
  const { path, since, until, totals, before, tools, buckets, note } = found;
  const title = `${titleOf(found, question)} · ${path}`;
  return {
    data: { path, since, until, totals, before, tools, buckets },
    sections:
      totals.calls === 0
        ? [
            [title],
            [
              `No calls. A longer time: toolmeter --since all. Nothing recorded yet: toolmeter record <server's command>.`,
            ],
          ]
        : [
            [title],
            summaryOf(found, question.zone),
            ...warningOf(found.ahead, question.zone),
            table(tools, [TOOL, ...FIGURES, OUTPUT_TOKENS], { note }),
            [
              "Look at next",
              ...nextSteps(tools).map(([what, command]) => `  ${command.padEnd(32)}  ${what}`),
            ],
          ],
  };
}

/** One line per figure: its value, its change, and its course. */
function summaryOf({ totals, before, buckets }: Report, zone: string): readonly string[] {
  const compared = (text: string) => (before && before.calls > 0 ? text : "");
  const lines: readonly (readonly [string, string, string, string])[] = [
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
  return lines.map(([name, value, difference, line]) =>
    `${name.padEnd(17)}${value.padEnd(line || difference ? 10 : 0)} ${difference.padEnd(9)}${line}`.trimEnd(),
  );
}

function warningOf(ahead: number, zone: string): readonly Section[] {
  if (ahead === 0) return [];
  return [
    [
      `${show(ahead, "count", zone)} of these calls are stamped later than now: a clock ran ahead. Without them: --until 0s`,
    ],
  ];
}

/** `Last 7 days`, or from when to when. */
function titleOf({ since, until }: Report, { filter, zone }: Question): string {
  const isUntilNow = filter.until === undefined;
  if (since === null) return isUntilNow ? "All time" : `Until ${shortTime(until, zone)}`;
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
