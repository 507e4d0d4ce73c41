/** Returns the percentile of samples by nearest rank. `share` is between 0 and 1. */
export function percentile(samples: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(samples).toSorted();
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function median(samples: ArrayLike<number>): number {
  return percentile(samples, 0.5);
}

/** Returns `p50 … max` of samples as one line of text. */
export function distribution(samples: ArrayLike<number>, unit: string): string {
  const shares = { p50: 0.5, p90: 0.9, p99: 0.99, "p99.9": 0.999, max: 1 };
  return Object.entries(shares)
    .map(([name, share]) => `${name} ${percentile(samples, share).toFixed(2)}`)
    .join("  ")
    .concat(` ${unit}`);
}
