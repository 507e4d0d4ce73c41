import { InputError } from "./input-error.ts";
import { grouped, signed } from "./numbers.ts";

const UNITS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Parses a duration such as `500ms`, `1.5s`, `30m`, `24h`, `7d` or `2w`.
 *
 * Not `parse-duration`: it silently accepts `-7d`, `7y`, `1,5s` (as 15 s) and `1M` (as a minute).
 * @returns Milliseconds.
 * @throws InputError
 */
export function parseDuration(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(ms|[smhdw])$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (number === undefined || factor === undefined) {
    throw new InputError(
      `Expected a duration such as 500ms, 30m, 24h or 7d, got ${JSON.stringify(text)}.`,
    );
  }
  return Number(number) * factor;
}

const MAX_DAYS = 999_999;

/**
 * Formats milliseconds: `0.42 ms`, `7.1 ms`, `312 ms`, `1.25 s`, `2 min 5 s`, `3 h 20 min`, `2 d 7 h`, `>999,999 d`.
 *
 * Not `pretty-ms`: it formats 0.04 ms as `1ms` and 999.6 ms as `999ms`, and throws on NaN and infinity.
 */
export function duration(ms: number): string {
  return signed(ms, lengthOfTime);
}

function lengthOfTime(ms: number): string {
  if (ms < 9.995) return `${ms.toFixed(ms < 0.995 ? 2 : 1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(ms < 9_995 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const days = Math.floor(minutes / 1_440);
  if (days > MAX_DAYS) return `>${grouped(MAX_DAYS)} d`;
  return `${grouped(days)} d ${Math.floor((minutes % 1_440) / 60)} h`;
}
