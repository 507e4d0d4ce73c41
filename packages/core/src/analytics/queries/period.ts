import type { CallFilter } from "./filter.ts";

/** The time that a filter spans, as it is shown, compared and divided. Milliseconds since 1970 UTC. */
export interface Period {
  /** `null`: since the first call. */
  readonly since: number | null;
  /** The filter's end, else now. Without an end in the filter, calls stamped later than now count as well. */
  readonly until: number;
}

/** What a composed answer needs beside a filter. */
export interface PeriodOptions {
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
  /** The time zone in which days begin. */
  readonly zone: string;
}

export function periodOf({ since, until }: CallFilter, now: number): Period {
  return { since: since ?? null, until: until ?? now };
}

/**
 * The same filter for the period of the same length just before. `undefined` if the filter has no beginning, or begins
 * later than now.
 */
export function filterBefore(filter: CallFilter, now: number): CallFilter | undefined {
  const { since } = filter;
  const { until } = periodOf(filter, now);
  if (since === undefined || since >= until) return undefined;
  return { ...filter, since: since - (until - since), until: since };
}

const DAY_MS = 86_400_000;

/** The most days that are still divided by day, and the most hours by hour. */
const MAX_DAYS = 60;
const MAX_HOURLY_DAYS = 2;

/**
 * When each hour, day or week of a period begins in the zone: hours for up to 2 days, days for up to 60, else weeks. The
 * first is cut, since it begins with the period. None if the period has no beginning.
 */
export function bucketStarts({ since, until }: Period, zone: string): readonly number[] {
  if (since === null) return [];
  if (until <= since) return [since];
  const days = (until - since) / DAY_MS;
  const step =
    days <= MAX_HOURLY_DAYS ? { hours: 1 } : days <= MAX_DAYS ? { days: 1 } : { weeks: 1 };
  const begin = Temporal.Instant.fromEpochMilliseconds(since).toZonedDateTimeISO(zone);
  let next =
    "hours" in step
      ? begin.round({ smallestUnit: "hour", roundingMode: "floor" })
      : begin.startOfDay();
  const starts = [since];
  for (;;) {
    next = next.add(step);
    if (next.epochMilliseconds >= until) return starts;
    if (next.epochMilliseconds > since) starts.push(next.epochMilliseconds);
  }
}
