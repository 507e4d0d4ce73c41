import { countCalls } from "./calls.ts";
import type { CallFilter } from "./filter.ts";
import { type Period, type PeriodOptions, bucketStarts, filterBefore, periodOf } from "./period.ts";
import type { QuerySource } from "./source.ts";
import { type Usage, type UsageTotals, usage, usageTotals } from "./usage.ts";

/** The usage in a period, compared with the preceding period. */
export interface Report extends Period, Usage {
  /** Totals of the preceding period of the same length; `null` if the period has no beginning. */
  readonly before: Pick<
    UsageTotals,
    "calls" | "failures" | "failureRate" | "outputTokens" | "sessions"
  > | null;
  /** Number of calls with a start time after now, because a clock was ahead. */
  readonly ahead: number;
}

/** Clock differences up to this are ignored, in milliseconds. */
const CLOCK_DIFFERENCE_MS = 60_000;

/** Reports on the matching calls, in hours, days or weeks. Tools are sorted by failures, then by p95. */
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
