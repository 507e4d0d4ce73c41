import { InputError } from "./input-error.ts";
import { scaled } from "./numbers.ts";

const NAMES = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/**
 * Formats a number of bytes: `999 B`, `1.5 kB`, `120 MB`, `>999 EB`.
 *
 * Not `pretty-bytes`: it throws on NaN and formats 1e300 with 280 characters.
 */
export function bytes(count: number): string {
  return scaled(count, NAMES, " ");
}

const UNITS: Record<string, number> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 1_024,
  MIB: 1_048_576,
  GIB: 1_073_741_824,
};

/**
 * Parses a size such as `500MB`, `2 GB` or `64MiB`.
 *
 * Not `bytes`: it reads 64MiB as 64 bytes, and 500MB as 524,288,000.
 * @returns Bytes.
 * @throws InputError
 */
export function parseSize(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text) ?? [];
  const factor = UNITS[unit.toUpperCase()];
  if (number === undefined || factor === undefined) {
    throw new InputError(`Expected a size such as 500MB or 2GB, got ${JSON.stringify(text)}.`);
  }
  return Number(number) * factor;
}
