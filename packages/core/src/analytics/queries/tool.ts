import { type CallSummary, topCalls } from "./calls.ts";
import { type ClientUsage, clients } from "./clients.ts";
import { type DefinitionVersion, definitionVersions } from "./definition-versions.ts";
import { type ErrorClass, errorClasses } from "./error-classes.ts";
import type { CallFilter } from "./filter.ts";
import { type PeriodOptions, bucketStarts, filterBefore, periodOf } from "./period.ts";
import type { QuerySource } from "./source.ts";
import { type Transition, transitions } from "./transitions.ts";
import { type UsageBucket, type UsageTotals, usage } from "./usage.ts";

/** The details of one tool. */
export interface ToolDetails {
  readonly toolName: string;
  readonly totals: UsageTotals;
  /** Totals of the preceding period of the same length; `null` if the period has no beginning. */
  readonly before: UsageTotals | null;
  readonly buckets: readonly UsageBucket[];
  /** Most frequent first. */
  readonly errors: readonly ErrorClass[];
  readonly slowest: readonly CallSummary[];
  /** Most active first. */
  readonly clients: readonly ClientUsage[];
  /** The tools called after it, most frequent first. */
  readonly next: readonly Transition[];
  /** Latest first. */
  readonly definitions: readonly DefinitionVersion[];
}

/** Collects the details of one tool. Lists have at most 5 rows, except `definitions`. */
export function toolDetails(
  source: QuerySource,
  toolName: string,
  others: Omit<CallFilter, "tools">,
  { now, zone }: PeriodOptions,
): ToolDetails {
  const filter = { ...others, tools: [toolName] };
  const before = filterBefore(filter, now);
  const { totals, buckets } = usage(source, filter, bucketStarts(periodOf(filter, now), zone));
  return {
    toolName,
    totals,
    before: before ? usage(source, before).totals : null,
    buckets,
    errors: errorClasses(source, filter).slice(0, MAX_ROWS),
    slowest: topCalls(source, filter, "durationMs", MAX_ROWS),
    clients: clients(source, filter).slice(0, MAX_ROWS),
    next: transitions(source, filter)
      .filter(({ from }) => from === toolName)
      .slice(0, MAX_ROWS),
    definitions: definitionVersions(source, toolName, filter),
  };
}

const MAX_ROWS = 5;
