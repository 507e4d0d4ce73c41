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

/** The length of each bucket, for periods up to a number of days: about 60 buckets at most. */
const STEPS = [
  { days: 2, step: { hours: 1 } },
  { days: 60, step: { days: 1 } },
  { days: 60 * 7, step: { weeks: 1 } },
  { days: 60 * 30, step: { months: 1 } },
] as const;

/** Days in a year that is not a leap year. */
const YEAR_DAYS = 365;
const MAX_YEARS = 60;

/**
 * Returns the start of each bucket of a period in the time zone: hours for up to 2 days, days for up to 60 days, weeks,
 * counted from the first day, for up to 60 weeks, months for up to 60 months of 30 days, else years. Beyond 60 years a
 * bucket is several years, so that there are never more than 62. The first bucket starts with the period and may be
 * shorter. Empty if the period has no beginning.
 */
export function bucketStarts({ since, until }: Period, zone: string): readonly number[] {
  if (since === null) return [];
  if (until <= since) return [since];
  const days = (until - since) / DAY_MS;
  const step = STEPS.find((each) => days <= each.days)?.step ?? {
    years: Math.ceil(days / YEAR_DAYS / MAX_YEARS),
  };
  const begin = Temporal.Instant.fromEpochMilliseconds(since).toZonedDateTimeISO(zone);
  let next = firstOf(begin, step);
  const starts = [since];
  while ((next = next.add(step)).epochMilliseconds < until) starts.push(next.epochMilliseconds);
  return starts;
}

/** The beginning of the hour, day, month or year in which a period begins. */
function firstOf(begin: Temporal.ZonedDateTime, step: object): Temporal.ZonedDateTime {
  if ("hours" in step) return begin.round({ smallestUnit: "hour", roundingMode: "floor" });
  if ("months" in step) return begin.with({ day: 1 }).startOfDay();
  if ("years" in step) return begin.with({ month: 1, day: 1 }).startOfDay();
  return begin.startOfDay();
}
