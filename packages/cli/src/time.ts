import { UsageError } from "./failures/command-error.ts";

const UNITS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** A length of time such as `500ms`, `1.5s`, `30m`, `24h`, `7d`, `2w`, in milliseconds. */
export function parseDuration(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(ms|[smhdw])$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (number === undefined || factor === undefined) {
    throw new UsageError(
      `Expected a length of time such as 500ms, 30m, 24h or 7d, got ${JSON.stringify(text)}.`,
    );
  }
  return Number(number) * factor;
}

/**
 * A moment, in milliseconds since 1970 UTC; `undefined` for `all`.
 * @param text A length of time before now, `today`, `yesterday`, `all`, or a date or time as in ISO 8601; without an
 * offset it is in the zone.
 */
export function parseMoment(text: string, now: number, zone: string): number | undefined {
  if (text === "all") return undefined;
  if (/^\d+(?:\.\d+)?[a-z]+$/.test(text)) return now - parseDuration(text);
  const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(zone).startOfDay();
  if (text === "today") return today.epochMilliseconds;
  if (text === "yesterday") return today.subtract({ days: 1 }).epochMilliseconds;
  try {
    if (/(?:z|[+-]\d\d:?\d\d)$/i.test(text) && text.includes(":")) {
      return Temporal.Instant.from(text).epochMilliseconds;
    }
    return Temporal.PlainDateTime.from(text).toZonedDateTime(zone).epochMilliseconds;
  } catch {
    throw new UsageError(
      `Expected a time such as 7d, today, 2026-11-01 or 2026-11-01T08:00, or all, got ${JSON.stringify(text)}.`,
    );
  }
}

/** The name of a time zone that exists. */
export function parseZone(text: string): string {
  try {
    return Temporal.Now.zonedDateTimeISO(text).timeZoneId;
  } catch {
    throw new UsageError(
      `Expected a time zone such as UTC or Europe/Berlin, got ${JSON.stringify(text)}.`,
    );
  }
}

export function localZone(): string {
  return Temporal.Now.timeZoneId();
}

const MAX_BUCKETS = 60;

/** When the hours, days or weeks of a time begin in the zone: as many as are shown in a line. The first is cut. */
export function bucketStarts(since: number, until: number, zone: string): readonly number[] {
  const length = until - since;
  if (length <= 0) return [since];
  const day = UNITS["d"] ?? 0;
  const step =
    length <= 2 * day ? { hours: 1 } : length <= MAX_BUCKETS * day ? { days: 1 } : { weeks: 1 };
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
