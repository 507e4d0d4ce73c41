import type { CallFilter } from "./filter.ts";

/** The period of a filter, for display, comparison and division. Milliseconds since 1970 UTC. */
export interface Period {
  /** `null` means since the first call. */
  readonly since: number | null;
  /** The filter's end, or now. Without an end in the filter, calls with a start time after now are included. */
  readonly until: number;
}

/** The current time and time zone, which composed queries need in addition to a filter. */
export interface PeriodOptions {
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
  /** The time zone that defines the start of days. */
  readonly zone: string;
}

export function periodOf({ since, until }: CallFilter, now: number): Period {
  return { since: since ?? null, until: until ?? now };
}

/**
 * Returns the filter for the preceding period of the same length; `undefined` if the filter has no beginning, or begins
 * after now.
 */
export function filterBefore(filter: CallFilter, now: number): CallFilter | undefined {
  const { since } = filter;
  const { until } = periodOf(filter, now);
  if (since === undefined || since >= until) return undefined;
  return { ...filter, since: since - (until - since), until: since };
}

const DAY_MS = 86_400_000;

/** Longest periods, in days, that are divided into days and into hours. */
const MAX_DAYS = 60;
const MAX_HOURLY_DAYS = 2;

/**
 * Returns the start of each bucket of a period in the time zone: hours for up to 2 days, days for up to 60 days, and
 * weeks, counted from the first day, beyond that. The first bucket starts with the period and may be shorter. Empty if
 * the period has no beginning.
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
