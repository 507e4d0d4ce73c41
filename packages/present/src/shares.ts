import { InputError } from "./input-error.ts";
import { grouped, signed } from "./numbers.ts";

export const MAX_PERCENT = 999_999;

/** Formats a share as a percentage. A share above 0 is never formatted as `0 %`. */
export function percent(share: number): string {
  return signed(share, (size) => {
    if (size === 0) return "0 %";
    if (size < 0.0005) return "<0.1 %";
    if (size > MAX_PERCENT / 100) return `>${grouped(MAX_PERCENT)} %`;
    return `${(size * 100).toFixed(size < 0.0995 ? 1 : 0)} %`;
  });
}

/**
 * Parses a share such as `2%`, `0.5 %` or `0.02`.
 * @returns A number from 0 to 1.
 * @throws InputError
 */
export function parseShare(text: string): number {
  const [, number, sign] = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(text) ?? [];
  const share = sign === "%" ? Number(number) / 100 : Number(number);
  if (number === undefined || share > 1) {
    throw new InputError(`Expected a share such as 2% or 0.02, got ${JSON.stringify(text)}.`);
  }
  return share;
}
