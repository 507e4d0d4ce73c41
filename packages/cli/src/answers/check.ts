import {
  type Budget,
  type BudgetExcess,
  type Measure,
  checkBudgets,
} from "@toolmeter/core/queries";
import { InputError, duration, parseDuration, parseShare, percent } from "@toolmeter/present";
import { EXIT } from "../failures/exit-codes.ts";
import { table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";
import { type AskOptions, answer } from "./ask.ts";
import { TOOL } from "./columns.ts";

export interface CheckOptions extends AskOptions {
  readonly p50?: string | undefined;
  readonly p95?: string | undefined;
  readonly p99?: string | undefined;
  readonly errorRate?: string | undefined;
  readonly rejectionRate?: string | undefined;
  readonly minCalls: number;
  readonly overall?: true | undefined;
}

/** Compares tools with limits. Returns the exit code: 3 if a limit is exceeded, or if there are no calls to check. */
export async function check(options: CheckOptions, terminal: Terminal): Promise<number> {
  const budgets = parseBudgets(options);
  const { minCalls, overall: isOverall } = options;
  let code: number = EXIT.ok;
  await answer(options, terminal, (source, { filter }) => {
    const { checked, excesses } = checkBudgets(source, filter, budgets, { minCalls, isOverall });
    if (checked === 0 || excesses.length > 0) code = EXIT.findings;
    const reason = checked === 0 ? nothingToCheck(minCalls) : undefined;
    const findings = excesses.map(({ toolName, measure, value, limit, calls }) => ({
      toolName,
      what: measure,
      value,
      limit,
      calls,
    }));
    return {
      data: { ok: code === EXIT.ok, checked, findings, ...(reason && { reason }) },
      sections: [
        ...(excesses.length === 0 ? [] : [toTable(excesses)]),
        [reason ?? verdict(checked, excesses.length)],
      ],
    };
  });
  return code;
}

function nothingToCheck(minCalls: number): string {
  const expected = minCalls > 1 ? `a tool with at least ${minCalls} calls` : "calls to check";
  return `Expected ${expected}, but this period has none. Try a longer one: --since 30d`;
}

function verdict(checked: number, exceeded: number): string {
  return exceeded === 0
    ? `${checked} ${checked === 1 ? "tool is" : "tools are"} within the limits.`
    : `${exceeded} ${exceeded === 1 ? "limit is" : "limits are"} exceeded.`;
}

function toTable(excesses: readonly BudgetExcess[]) {
  return table(excesses, [
    TOOL,
    { header: "calls", kind: "count", value: ({ calls }) => calls },
    { header: "measure", value: ({ measure }) => measure },
    {
      header: "value",
      value: ({ measure, value }) => formatOf(measure)(value),
      tone: () => "bad",
    },
    { header: "limit", value: ({ measure, limit }) => formatOf(measure)(limit) },
  ]);
}

function formatOf(measure: Measure): (value: number) => string {
  return measure.endsWith("rate") ? percent : duration;
}

function parseBudgets(options: CheckOptions): readonly Budget[] {
  const { p50, p95, p99, errorRate, rejectionRate } = options;
  const texts = [
    ["p50", p50, parseDuration],
    ["p95", p95, parseDuration],
    ["p99", p99, parseDuration],
    ["error rate", errorRate, parseShare],
    ["rejection rate", rejectionRate, parseShare],
  ] as const;
  const budgets = texts.flatMap(([measure, text, parse]) =>
    text === undefined ? [] : [{ measure, limit: parse(text) }],
  );
  if (budgets.length > 0) return budgets;
  throw new InputError("Expected a limit, such as --p95 500ms or --error-rate 2%.");
}
