import type { RetentionPolicy } from "../housekeeping/retention.ts";
import { type QuerySource, one } from "./source.ts";

/** The calls that a retention policy would remove. */
export interface Prunable {
  /** Exact for an age limit, estimated for a size limit. */
  readonly calls: number;
  readonly allCalls: number;
  /** Estimated. */
  readonly bytes: number;
  readonly allBytes: number;
}

/** Computes what `pruneAnalyticsDb` would remove at `now`. */
export function prunable(
  source: QuerySource,
  { maxAgeDays, maxSizeMb }: RetentionPolicy,
  now: number,
): Prunable {
  const pragma = (name: string) => Number(source.$client.query(`pragma ${name}`).values()[0]?.[0]);
  const allBytes = (pragma("page_count") - pragma("freelist_count")) * pragma("page_size");
  const cutoff = maxAgeDays === undefined ? 0 : maxAgeDays * 86_400_000;
  // Like `Retention`: age is measured from the newest call, or from now if that is earlier.
  const { old, all } = one<{ old: number; all: number }>(
    source,
    `select (select count(*) from tool_calls) as "all", (select count(*) from tool_calls
       where started_at_ms < min(?, (select max(started_at_ms) from tool_calls)) - ?) as old`,
    [now, cutoff],
  );
  const tooMany = maxSizeMb === undefined ? 0 : Math.max(0, allBytes - maxSizeMb * 1_000_000);
  const bytesPerCall = all === 0 ? 0 : allBytes / all;
  const byAge = maxAgeDays === undefined ? 0 : old;
  const bySize = bytesPerCall === 0 ? 0 : Math.min(all, Math.ceil(tooMany / bytesPerCall));
  const calls = Math.max(byAge, bySize);
  return { calls, allCalls: all, bytes: Math.round(calls * bytesPerCall), allBytes };
}
