/** Values as people read them: short, whatever the value. */
import { plain } from "./safe.ts";

/** What a number says, which decides how it is shown. */
export type Kind =
  | "text"
  | "bar"
  | "number"
  | "count"
  | "ms"
  | "rate"
  | "bytes"
  | "tokens"
  | "time";

export type Value = string | number | bigint | null;

/** A value for a table; nothing is `–`. */
export function show(value: Value, kind: Kind, zone: string): string {
  if (value === null) return NOTHING;
  if (typeof value === "string") return kind === "bar" ? value : plain(value);
  if (typeof value === "bigint") return String(value);
  switch (kind) {
    case "ms":
      return duration(value);
    case "rate":
      return percent(value);
    case "bytes":
      return scaled(value, BYTES, " ");
    case "tokens":
      return scaled(value, THOUSANDS, "");
    case "time":
      return shortTime(value, zone);
    case "count":
      return grouped(value);
    default:
      return String(value);
  }
}

/** No value, or one that is no number. */
const NOTHING = "–";

const THOUSANDS = ["", "k", "M", "G", "T", "P", "E"];
const BYTES = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/** A number by its magnitude, with its sign before it; NaN is no number. */
function signed(value: number, toText: (magnitude: number) => string): string {
  if (Number.isNaN(value)) return NOTHING;
  return value < 0 ? `−${toText(-value)}` : toText(value);
}

/** `1,234,567`. `Intl` would take 2 ms to load for it. What no double counts exactly is scaled. */
function grouped(value: number): string {
  return Math.abs(value) > Number.MAX_SAFE_INTEGER
    ? scaled(value, THOUSANDS, "")
    : signed(value, (count) => count.toFixed(0).replaceAll(/\B(?=(?:\d{3})+$)/g, ","));
}

const MAX_DAYS = 999_999;

/** `0.42 ms`, `7.1 ms`, `312 ms`, `1.25 s`, `2 min 5 s`, `3 h 20 min`, `2 d 7 h`, `>999,999 d`. */
export function duration(ms: number): string {
  return signed(ms, lengthOfTime);
}

function lengthOfTime(ms: number): string {
  if (ms < 9.995) return `${ms.toFixed(ms < 0.995 ? 2 : 1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(ms < 9_995 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const days = Math.floor(minutes / 1_440);
  if (days > MAX_DAYS) return `>${grouped(MAX_DAYS)} d`;
  return `${grouped(days)} d ${Math.floor((minutes % 1_440) / 60)} h`;
}

/** A share as a percentage; what is above nothing is never shown as nothing. */
export function percent(share: number): string {
  return signed(share, (size) => {
    if (size === 0) return "0 %";
    if (size < 0.0005) return "<0.1 %";
    if (size > MAX_PERCENT / 100) return `>${grouped(MAX_PERCENT)} %`;
    return `${(size * 100).toFixed(size < 0.0995 ? 1 : 0)} %`;
  });
}

const MAX_PERCENT = 999_999;

function scaled(value: number, units: readonly string[], gap: string): string {
  return signed(value, (magnitude) => {
    let size = magnitude;
    let unit = 0;
    while (size >= 999.5 && unit < units.length - 1) {
      size /= 1_000;
      unit += 1;
    }
    const name = units[unit] ?? "";
    const suffix = name && gap + name;
    if (size >= 999.5) return `>999${suffix}`;
    const digits = unit === 0 || size >= 99.5 ? 0 : 1;
    return `${size.toFixed(digits)}${suffix}`;
  });
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** The moments that dates have, in milliseconds around 1970 (https://tc39.es/ecma262/#sec-time-values-and-time-range). */
const MAX_TIME = 8.64e15;

function isTime(ms: number): boolean {
  return Math.abs(ms) <= MAX_TIME;
}

/** `Nov 24 10:46`, in the zone; nothing if there is no such time. */
export function shortTime(ms: number, zone: string): string {
  if (!isTime(ms)) return NOTHING;
  const { month, day, hour, minute } = Temporal.Instant.fromEpochMilliseconds(
    Math.round(ms),
  ).toZonedDateTimeISO(zone);
  const [date = "", hours = "", minutes = ""] = [day, hour, minute].map((part) =>
    String(part).padStart(2, "0"),
  );
  return `${MONTHS[month - 1]} ${date} ${hours}:${minutes}`;
}

/** `10:46:03`, in the zone; nothing if there is no such time. */
export function clockTime(ms: number, zone: string): string {
  if (!isTime(ms)) return NOTHING;
  return Temporal.Instant.fromEpochMilliseconds(Math.round(ms))
    .toZonedDateTimeISO(zone)
    .toPlainTime()
    .toString({ smallestUnit: "second" });
}

/** `2026-11-24T10:46:03.120+01:00`: for those who compute with it; nothing if there is no such time. */
export function isoTime(ms: number, zone: string): string {
  if (!isTime(ms)) return "";
  return Temporal.Instant.fromEpochMilliseconds(Math.round(ms)).toString({
    timeZone: zone,
    fractionalSecondDigits: 3,
  });
}

/** `+12 %`, `−3 %`, `±0 %`; nothing to compare with is `new`. */
export function change(now: number, before: number): string {
  if (before === 0) return now === 0 ? "±0 %" : "new";
  return difference((now / before - 1) * 100, "%");
}

/** The difference of two shares, in percentage points. */
export function changeOfShare(now: number, before: number): string {
  return difference((now - before) * 100, "pt");
}

function difference(value: number, unit: string): string {
  if (Number.isNaN(value)) return NOTHING;
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "+";
  if (size > MAX_PERCENT) return `${sign}>${grouped(MAX_PERCENT)} ${unit}`;
  const text = size < 9.95 && unit === "pt" ? size.toFixed(1) : size.toFixed(0);
  return Number(text) === 0 ? `±0 ${unit}` : `${sign}${text} ${unit}`;
}

const BARS = "▁▂▃▄▅▆▇█";

/** A line of bars; nothing is a blank, so that little is seen as something. */
export function sparkline(values: readonly number[]): string {
  const highest = Math.max(...values, 0);
  return values
    .map((value) =>
      value > 0 ? (BARS[Math.ceil((value / highest) * BARS.length) - 1] ?? "█") : " ",
    )
    .join("");
}
