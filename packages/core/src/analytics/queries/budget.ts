import type { CallFilter } from "./filter.ts";
import type { QuerySource } from "./source.ts";
import { type ToolUsage, usage } from "./usage.ts";

/** The measures that a budget can limit. Percentiles are in milliseconds, rates from 0 to 1. */
export type Measure = "p50" | "p95" | "p99" | "error rate" | "rejection rate";

export interface Budget {
  readonly measure: Measure;
  /** The largest value within the budget. */
  readonly limit: number;
}

/** A budget that a tool exceeds. */
export interface BudgetExcess extends Budget {
  readonly toolName: string;
  readonly value: number;
  readonly calls: number;
}

export interface BudgetOptions {
  /** Skips tools with fewer calls. Minimum: 1. @default 1 */
  readonly minCalls?: number | undefined;
  /** Whether to check all calls together, as the tool `(all)`, instead of each tool. @default false */
  readonly isOverall?: boolean | undefined;
}

export interface BudgetCheck {
  /** Number of checked tools. */
  readonly checked: number;
  readonly excesses: readonly BudgetExcess[];
}

type Measured = ToolUsage & { readonly rejectionRate: number };

const VALUES: Record<Measure, (figures: Measured) => number> = {
  p50: ({ p50Ms }) => p50Ms ?? 0,
  p95: ({ p95Ms }) => p95Ms ?? 0,
  p99: ({ p99Ms }) => p99Ms ?? 0,
  "error rate": ({ failureRate }) => failureRate,
  "rejection rate": ({ rejectionRate }) => rejectionRate,
};

/** Checks the matching calls of each tool against the budgets. */
export function checkBudgets(
  source: QuerySource,
  filter: CallFilter,
  budgets: readonly Budget[],
  { minCalls = 1, isOverall = false }: BudgetOptions = {},
): BudgetCheck {
  const hasRejections = budgets.some((budget) => budget.measure === "rejection rate");
  const measured = measure(source, filter, { isOverall, hasRejections }).filter(
    ({ calls }) => calls >= Math.max(1, minCalls),
  );
  return {
    checked: measured.length,
    excesses: measured.flatMap((figures) =>
      budgets
        .map((budget) => ({
          toolName: figures.toolName,
          ...budget,
          value: VALUES[budget.measure](figures),
          calls: figures.calls,
        }))
        .filter(({ value, limit }) => value > limit),
    ),
  };
}

function measure(
  source: QuerySource,
  filter: CallFilter,
  { isOverall, hasRejections }: { readonly isOverall: boolean; readonly hasRejections: boolean },
): readonly Measured[] {
  const all = usage(source, filter);
  const rejected = hasRejections ? rejectedCalls(source, filter) : new Map<string, number>();
  if (!isOverall) {
    return all.tools.map((figures) => withRejections(figures, rejected.get(figures.toolName) ?? 0));
  }
  const sum = [...rejected.values()].reduce((total, calls) => total + calls, 0);
  return [withRejections({ toolName: "(all)", ...all.totals }, sum)];
}

/** Counts the rejected calls per tool among the matching calls. */
function rejectedCalls(source: QuerySource, filter: CallFilter): ReadonlyMap<string, number> {
  const { statuses = [] } = filter;
  if (statuses.length > 0 && !statuses.includes("rejected")) return new Map();
  const { tools } = usage(source, { ...filter, statuses: ["rejected"] });
  return new Map(tools.map(({ toolName, calls }) => [toolName, calls]));
}

function withRejections(figures: ToolUsage, rejections: number): Measured {
  return { ...figures, rejectionRate: figures.calls === 0 ? 0 : rejections / figures.calls };
}
