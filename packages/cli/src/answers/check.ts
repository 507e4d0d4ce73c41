import { type ToolUsage, usage } from "@toolmeter/core/queries";
import { type AskOptions, answer } from "./ask.ts";
import { EXIT, UsageError } from "../failures/command-error.ts";
import { duration, percent } from "../output/format.ts";
import { table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";
import { parseDuration } from "../time.ts";

export interface CheckOptions extends AskOptions {
  readonly p50?: string | undefined;
  readonly p95?: string | undefined;
  readonly p99?: string | undefined;
  readonly errorRate?: string | undefined;
  readonly rejectionRate?: string | undefined;
  readonly minCalls: number;
  readonly overall?: true | undefined;
}

interface Budget {
  readonly name: string;
  readonly limit: number;
  readonly show: (value: number) => string;
  readonly value: (figures: Measured) => number;
}

type Measured = ToolUsage & { readonly rejectionRate: number };

interface Finding {
  readonly toolName: string;
  readonly what: string;
  readonly value: number;
  readonly limit: number;
  readonly calls: number;
}

/** Holds tools against limits; returns the exit code 3 if one is over, or if there is nothing to hold. */
export async function check(options: CheckOptions, terminal: Terminal): Promise<number> {
  const budgets = budgetsOf(options);
  let code: number = EXIT.ok;
  await answer(options, terminal, (source, { filter }) => {
    const all = usage(source, filter);
    const rejected = new Map(
      usage(source, { ...filter, statuses: ["rejected"] }).tools.map(({ toolName, calls }) => [
        toolName,
        calls,
      ]),
    );
    const together = { toolName: "(all)", ...all.totals };
    const measured = (options.overall ? [together] : all.tools)
      .filter(({ calls }) => calls >= Math.max(1, options.minCalls))
      .map((figures) => ({
        ...figures,
        rejectionRate: rejectionsOf(figures.toolName, rejected) / figures.calls,
      }));
    const findings = measured.flatMap((figures) => exceeded(figures, budgets));
    const isEmpty = measured.length === 0;
    if (isEmpty || findings.length > 0) code = EXIT.findings;
    const reason = isEmpty
      ? `Expected calls to check, but there are none in this time${options.minCalls > 1 ? ` of tools with ${options.minCalls} calls` : ""}. A longer one: --since 30d`
      : undefined;
    const verdict =
      findings.length === 0
        ? `${measured.length} ${measured.length === 1 ? "tool is" : "tools are"} within the limits.`
        : `${findings.length} ${findings.length === 1 ? "limit is" : "limits are"} exceeded.`;
    return {
      data: { ok: code === EXIT.ok, checked: measured.length, findings, ...(reason && { reason }) },
      sections: [
        ...(findings.length === 0 ? [] : [toTable(findings, budgets)]),
        [reason ?? verdict],
      ],
    };
  });
  return code;
}

function rejectionsOf(toolName: string, rejected: ReadonlyMap<string, number>): number {
  if (toolName !== "(all)") return rejected.get(toolName) ?? 0;
  return [...rejected.values()].reduce((sum, calls) => sum + calls, 0);
}

function toTable(findings: readonly Finding[], budgets: readonly Budget[]) {
  const shown = (what: string, value: number) =>
    budgets.find(({ name }) => name === what)?.show(value) ?? String(value);
  return table(findings, [
    { header: "tool", value: ({ toolName }) => toolName },
    { header: "calls", kind: "count", value: ({ calls }) => calls },
    { header: "what", value: ({ what }) => what },
    { header: "is", value: ({ what, value }) => shown(what, value), tone: () => "bad" },
    { header: "may be", value: ({ what, limit }) => shown(what, limit) },
  ]);
}

function exceeded(figures: Measured, budgets: readonly Budget[]): readonly Finding[] {
  const { toolName, calls } = figures;
  return budgets
    .map(({ name, limit, value }) => ({
      toolName,
      what: name,
      value: value(figures),
      limit,
      calls,
    }))
    .filter(({ value, limit }) => value > limit);
}

function budgetsOf({ p50, p95, p99, errorRate, rejectionRate }: CheckOptions): readonly Budget[] {
  const times = [
    ["p50", p50, "p50Ms"],
    ["p95", p95, "p95Ms"],
    ["p99", p99, "p99Ms"],
  ] as const;
  const shares = [
    ["error rate", errorRate, "failureRate"],
    ["rejection rate", rejectionRate, "rejectionRate"],
  ] as const;
  const budgets: readonly Budget[] = [
    ...times.flatMap(([name, text, key]) =>
      text === undefined
        ? []
        : [
            {
              name,
              limit: parseDuration(text),
              show: duration,
              value: (figures: Measured) => figures[key] ?? 0,
            },
          ],
    ),
    ...shares.flatMap(([name, text, key]) =>
      text === undefined
        ? []
        : [
            {
              name,
              limit: parseShare(text),
              show: percent,
              value: (figures: Measured) => figures[key],
            },
          ],
    ),
  ];
  if (budgets.length > 0) return budgets;
  throw new UsageError("Expected a limit, such as --p95 500ms or --error-rate 2%.");
}

/** `2%`, `0.5 %` or `0.02`. */
function parseShare(text: string): number {
  const [, number, sign] = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(text) ?? [];
  const share = sign === "%" ? Number(number) / 100 : Number(number);
  if (number === undefined || share > 1) {
    throw new UsageError(`Expected a share such as 2% or 0.02, got ${JSON.stringify(text)}.`);
  }
  return share;
}
