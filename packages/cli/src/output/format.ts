/** Values as people read them. */

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

export type Value = string | number | null;

/** A value for a table; nothing is `–`. */
export function show(value: Value, kind: Kind, zone: string): string {
  if (value === null) return "–";
  if (typeof value === "string") return kind === "bar" ? value : plain(value);
  switch (kind) {
    case "ms":
      return duration(value);
    case "rate":
      return percent(value);
    case "bytes":
      return scaled(value, ["B", "kB", "MB", "GB", "TB"], " ");
    case "tokens":
      return scaled(value, ["", "k", "M", "G", "T"], "");
    case "time":
      return shortTime(value, zone);
    case "count":
      return grouped(value);
    default:
      return String(value);
  }
}

/** `1,234,567`. `Intl` would take 2 ms to load for it. */
function grouped(value: number): string {
  return value.toFixed(0).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}

/** One line, and nothing in it that steers a terminal: names and messages come from others. */
export function plain(text: string): string {
  return Bun.stripANSI(text)
    .replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, " ")
    .trim();
}

/** `0.42 ms`, `7.1 ms`, `312 ms`, `1.25 s`, `2 min 5 s`, `3 h 20 min`. */
export function duration(ms: number): string {
  if (ms < 9.995) return `${ms.toFixed(ms < 0.995 ? 2 : 1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(ms < 9_995 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1_440)} d ${Math.floor((minutes % 1_440) / 60)} h`;
}

/** A share as a percentage; what is above nothing is never shown as nothing. */
export function percent(share: number): string {
  if (share === 0) return "0 %";
  if (share < 0.0005) return "<0.1 %";
  return `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

function scaled(value: number, units: readonly string[], gap: string): string {
  let size = value;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1_000;
    unit += 1;
  }
  const digits = unit === 0 || size >= 99.5 ? 0 : 1;
  const name = units[unit] ?? "";
  return `${size.toFixed(digits)}${name && gap}${name}`;
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** `Nov 24 10:46`, in the zone. */
export function shortTime(ms: number, zone: string): string {
  const { month, day, hour, minute } = Temporal.Instant.fromEpochMilliseconds(
    Math.round(ms),
  ).toZonedDateTimeISO(zone);
  const [date = "", hours = "", minutes = ""] = [day, hour, minute].map((part) =>
    String(part).padStart(2, "0"),
  );
  return `${MONTHS[month - 1]} ${date} ${hours}:${minutes}`;
}

/** `2026-11-24T10:46:03.120+01:00`: for those who compute with it. */
export function isoTime(ms: number, zone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(Math.round(ms)).toString({
    timeZone: zone,
    fractionalSecondDigits: 3,
  });
}

/** `+12 %`, `−3 %`, `±0 %`; nothing to compare with is `new`. */
export function change(now: number, before: number): string {
  if (before === 0) return now === 0 ? "±0 %" : "new";
  return signed((now / before - 1) * 100, "%");
}

/** The difference of two shares, in percentage points. */
export function changeOfShare(now: number, before: number): string {
  return signed((now - before) * 100, "pt");
}

function signed(value: number, unit: string): string {
  const size = Math.abs(value);
  const text = size < 9.95 && unit === "pt" ? size.toFixed(1) : size.toFixed(0);
  if (Number(text) === 0) return `±0 ${unit}`;
  return `${value < 0 ? "−" : "+"}${text} ${unit}`;
}

const BARS = "▁▂▃▄▅▆▇█";

/** A line of bars; nothing is a blank, so that little is seen as something. */
export function sparkline(values: readonly number[]): string {
  const highest = Math.max(...values, 0);
  return values
    .map((value) =>
      value === 0 ? " " : (BARS[Math.ceil((value / highest) * BARS.length) - 1] ?? " "),
    )
    .join("");
}
