import { duration } from "./durations.ts";
import { NOTHING, THOUSANDS, grouped, scaled } from "./numbers.ts";
import { plain } from "./safe.ts";
import { percent } from "./shares.ts";
import { bytes } from "./sizes.ts";
import { shortTime } from "./times.ts";

/** The meaning of a value, which determines its format. */
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

/** Formats a value for people. The result is always short; `null` becomes `–`. */
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
      return bytes(value);
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
