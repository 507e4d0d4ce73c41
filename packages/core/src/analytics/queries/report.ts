import { countCalls } from "./calls.ts";
import type { CallFilter } from "./filter.ts";
import { type Period, type PeriodOptions, bucketStarts, filterBefore, periodOf } from "./period.ts";
import type { QuerySource } from "./source.ts";
import { type Usage, type UsageTotals, usage, usageTotals } from "./usage.ts";

/** What was called in a period, how it went, and how that compares. */
export interface Report extends Period, Usage {
  /** Of the period of the same length just before; `null` if there is none. */
  readonly before: Pick<
    UsageTotals,
    "calls" | "failures" | "failureRate" | "outputTokens" | "sessions"
  > | null;
  /** Calls of the period that are stamped later than now: a clock ran ahead. */
  readonly ahead: number;
}

/** Clocks that differ by no more than this, in milliseconds, count as equal. */
const CLOCK_DIFFERENCE_MS = 60_000;

/** Reports on the calls that match, in hours, days or weeks. The tools that fail most come first, then the slowest. */
export function report(
  source: QuerySource,
  filter: CallFilter,
  { now, zone }: PeriodOptions,
): Report {
  const period = periodOf(filter, now);
  const { totals, tools, buckets } = usage(source, filter, bucketStarts(period, zone));
  const before = filterBefore(filter, now);
  return {
    ...period,
    totals,
    before: before ? usageTotals(source, before) : null,
    tools: tools.toSorted((a, b) => b.failures - a.failures || (b.p95Ms ?? 0) - (a.p95Ms ?? 0)),
    buckets,
    ahead: countCalls(source, {
      ...filter,
      since: Math.max(filter.since ?? 0, now + CLOCK_DIFFERENCE_MS),
    }),
  };
}
