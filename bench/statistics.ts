/** The value below which a share of the samples lies, by nearest rank. */
export function percentile(samples: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(samples).toSorted();
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function median(samples: ArrayLike<number>): number {
  return percentile(samples, 0.5);
}

/** `p50 … max` of samples, for one line of output. */
export function distribution(samples: ArrayLike<number>, unit: string): string {
  const shares = { p50: 0.5, p90: 0.9, p99: 0.99, "p99.9": 0.999, max: 1 };
  return Object.entries(shares)
    .map(([name, share]) => `${name} ${percentile(samples, share).toFixed(2)}`)
    .join("  ")
    .concat(` ${unit}`);
}
