import { parseDuration } from "./durations.ts";
import { InputError } from "./input-error.ts";
import { NOTHING } from "./numbers.ts";

/**
 * Parses a point in time: a duration before now, `today`, `yesterday`, `all`, or an ISO 8601 date or time, which is in
 * the time zone unless it has an offset.
 * @returns Milliseconds since 1970 UTC; `undefined` for `all`.
 * @throws InputError
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
    throw new InputError(
      `Expected a time such as 7d, today, 2026-11-01 or 2026-11-01T08:00, or all, got ${JSON.stringify(text)}.`,
    );
  }
}

/**
 * Returns the name of an existing time zone.
 * @throws InputError
 */
export function parseZone(text: string): string {
  try {
    return Temporal.Now.zonedDateTimeISO(text).timeZoneId;
  } catch {
    throw new InputError(
      `Expected a time zone such as UTC or Europe/Berlin, got ${JSON.stringify(text)}.`,
    );
  }
}

/** Returns the system's time zone. */
export function localZone(): string {
  return Temporal.Now.timeZoneId();
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/**
 * The range of dates, in milliseconds before and after 1970 (https://tc39.es/ecma262/#sec-time-values-and-time-range).
 */
const MAX_TIME = 8.64e15;

/** Converts to the time zone; returns `undefined` if the time is out of range. */
function zoned(ms: number, zone: string): Temporal.ZonedDateTime | undefined {
  if (!(Math.abs(ms) <= MAX_TIME)) return undefined;
  return Temporal.Instant.fromEpochMilliseconds(Math.round(ms)).toZonedDateTimeISO(zone);
}

/** Formats a time in the time zone as `Nov 24 10:46`; `–` if it is out of range. */
export function shortTime(ms: number, zone: string): string {
  const time = zoned(ms, zone);
  if (!time) return NOTHING;
  const [date = "", hours = "", minutes = ""] = [time.day, time.hour, time.minute].map((part) =>
    String(part).padStart(2, "0"),
  );
  return `${MONTHS[time.month - 1]} ${date} ${hours}:${minutes}`;
}

/** Formats a time in the time zone as `10:46:03`; `–` if it is out of range. */
export function clockTime(ms: number, zone: string): string {
  return zoned(ms, zone)?.toPlainTime().toString({ smallestUnit: "second" }) ?? NOTHING;
}

/** Formats a time as `2026-11-24T10:46:03.120+01:00`, for programs; empty if it is out of range. */
export function isoTime(ms: number, zone: string): string {
  return zoned(ms, zone)?.toInstant().toString({ timeZone: zone, fractionalSecondDigits: 3 }) ?? "";
}
