/** Shown for missing values and NaN. */
export const NOTHING = "–";

export const THOUSANDS: readonly string[] = ["", "k", "M", "G", "T", "P", "E"];

/** Formats a number's magnitude with `toText`, preceded by its sign. Returns `–` for NaN. */
export function signed(value: number, toText: (magnitude: number) => string): string {
  if (Number.isNaN(value)) return NOTHING;
  return value < 0 ? `−${toText(-value)}` : toText(value);
}

/** Formats an integer: `1,234,567`. Loading `Intl` for this would take 2 ms. Integers above 2^53 are scaled instead. */
export function grouped(value: number): string {
  return Math.abs(value) > Number.MAX_SAFE_INTEGER
    ? scaled(value, THOUSANDS, "")
    : signed(value, (count) => count.toFixed(0).replaceAll(/\B(?=(?:\d{3})+$)/g, ","));
}

/** Formats a number with up to three digits and a fitting unit: `12.3k`, `120 MB`. */
export function scaled(value: number, units: readonly string[], gap: string): string {
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
