import { NOTHING, grouped } from "./numbers.ts";
import { MAX_PERCENT } from "./shares.ts";

/** Formats a relative change: `+12 %`, `−3 %`, `±0 %`; `new` if `before` is 0. */
export function change(now: number, before: number): string {
  if (before === 0) return now === 0 ? "±0 %" : "new";
  return difference((now / before - 1) * 100, "%");
}

/** Formats the difference of two shares in percentage points: `+0.3 pt`. */
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
