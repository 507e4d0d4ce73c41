const BARS = "▁▂▃▄▅▆▇█";

/** Maximum number of bars, so that a line with a label, a value and its change fits into 80 columns. */
const MAX_BARS = 28;

/**
 * Returns one bar per value, scaled to the highest. If there are more than 28 values, each bar is the sum of equally
 * many neighbours. Zero is a blank, so that the smallest bar is visible.
 */
export function sparkline(values: readonly number[]): string {
  const size = Math.max(1, Math.ceil(values.length / MAX_BARS));
  const sums = Array.from({ length: Math.ceil(values.length / size) }, (_, index) =>
    values.slice(index * size, (index + 1) * size).reduce((sum, value) => sum + value, 0),
  );
  const highest = Math.max(...sums, 0);
  return sums
    .map((value) =>
      value > 0 ? (BARS[Math.ceil((value / highest) * BARS.length) - 1] ?? "█") : " ",
    )
    .join("");
}
