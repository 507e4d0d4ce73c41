import { type RetentionPolicy, createAnalyticsDb, pruneAnalyticsDb } from "@toolmeter/core";
import { openAnalyticsReader, prunable } from "@toolmeter/core/queries";
import { InputError, bytes, parseDuration, parseSize } from "@toolmeter/present";
import type { Terminal } from "../output/terminal.ts";

export interface PruneOptions {
  readonly db?: string | undefined;
  readonly quiet?: true | undefined;
  readonly olderThan?: string | undefined;
  readonly maxSize?: string | undefined;
  readonly yes?: true | undefined;
}

const DAY_MS = 86_400_000;

/** Removes old calls or, without `yes`, prints what would be removed. */
export async function prune(options: PruneOptions, terminal: Terminal): Promise<void> {
  const { olderThan, maxSize } = options;
  const policy = {
    ...(olderThan !== undefined && { maxAgeDays: parseDuration(olderThan) / DAY_MS }),
    ...(maxSize !== undefined && { maxSizeMb: parseSize(maxSize) / 1_000_000 }),
  };
  if (olderThan === undefined && maxSize === undefined) {
    throw new InputError("Expected a limit, such as --older-than 90d or --max-size 500MB.");
  }
  const before = await estimate(options.db, policy);
  if (!options.yes) {
    await terminal.out(
      `Would remove ${before.calls} of ${before.allCalls} calls, about ${bytes(before.bytes)} of ${bytes(before.allBytes)}. To remove them: --yes\n`,
    );
    return;
  }
  const { all, removed } = pruneNow(options.db, policy);
  const after = await estimate(options.db, policy);
  if (options.quiet) return;
  await terminal.out(
    `Removed ${removed} of ${all} calls; ${bytes(after.allBytes)} of ${bytes(before.allBytes)} remain.\n`,
  );
}

/** Counts only the calls that existed at the start, because others may record meanwhile. */
function pruneNow(path: string | undefined, policy: RetentionPolicy) {
  using db = createAnalyticsDb(path);
  const one = (sql: string, ...values: number[]) =>
    Number(db.$client.query(sql).values(...values)[0]?.[0] ?? 0);
  const newest = one("select max(sequence) from tool_calls");
  const count = () => one("select count(*) from tool_calls where sequence <= ?", newest);
  const all = count();
  pruneAnalyticsDb(db, policy);
  return { all, removed: all - count() };
}

async function estimate(db: string | undefined, policy: Parameters<typeof prunable>[1]) {
  using source = await openAnalyticsReader(db);
  return prunable(source, policy, Date.now());
}
