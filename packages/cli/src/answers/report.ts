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

/** Prints the overview: usage, changes since the previous period, and next steps. */
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
  const title = [titleOf(found, question), path];
  return {
    data: { path, since, until, totals, before, tools, buckets },
    sections:
      totals.calls === 0
        ? [
            title,
            [
              `No calls. For a longer period: toolmeter --since all. To record calls: toolmeter record <server command>.`,
            ],
          ]
        : [
            title,
            summaryOf(found, question.zone),
            ...warningOf(found.ahead, question.zone),
            table(tools, [TOOL, ...FIGURES, OUTPUT_TOKENS], { note }),
            nextSteps(tools),
          ],
  };
}

/** Returns one line per figure: its value, its change and its course over time. */
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
      `${show(ahead, "count", zone)} of these calls have a start time in the future, because a clock was ahead. To exclude them: --until 0s`,
    ],
  ];
}

/** Returns `Last 7 days` with its range, or only the range. */
function titleOf({ since, until }: Report, { filter, zone }: Question): string {
  const isUntilNow = filter.until === undefined;
  if (since === null) return isUntilNow ? "All time" : `Until ${shortTime(until, zone)}`;
  if (since >= until) return `From ${shortTime(since, zone)}`;
  const range = `${shortTime(since, zone)} – ${shortTime(until, zone)}`;
  const days = (until - since) / 86_400_000;
  return isUntilNow && Number.isInteger(days) ? `Last ${days} days · ${range}` : range;
}

/** Returns a command to copy, with the name escaped for a shell. */
function toolCommand({ toolName }: ToolUsage): string {
  return `toolmeter tools ${Bun.$.escape(toolName)}`;
}

/** Suggests commands for the details of conspicuous tools. */
function nextSteps(tools: readonly ToolUsage[]): readonly string[] {
  const [failing] = tools
    .filter(({ failures }) => failures > 0)
    .toSorted((a, b) => b.failures - a.failures);
  const slow = tools.toSorted((a, b) => b.totalMs - a.totalMs)[0];
  const steps: (readonly [command: string, reason: string])[] = [];
  if (failing) steps.push([toolCommand(failing), `${percent(failing.failureRate)} of calls fail`]);
  if (slow && slow !== failing)
    steps.push([toolCommand(slow), `most time: ${duration(slow.totalMs)}`]);
  steps.push(["toolmeter errors", "failures by kind"]);
  steps.push(["toolmeter tax", "rarely used tools"]);
  const width = Math.max(...steps.map(([command]) => Bun.stringWidth(command)));
  return [
    "Next steps",
    ...steps.map(([command, reason]) => `  ${command.padEnd(width)}  ${reason}`),
  ];
}
