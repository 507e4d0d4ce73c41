const BARS = "▁▂▃▄▅▆▇█";

/** Draws one bar per value. Zero is a space, so that the smallest bar means more than zero. */
export function sparkline(values: readonly number[]): string {
  const highest = Math.max(...values, 0);
  return values
    .map((value) =>
      value > 0 ? (BARS[Math.ceil((value / highest) * BARS.length) - 1] ?? "█") : " ",
    )
    .join("");
}
