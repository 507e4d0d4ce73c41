import { type AnalyticsDb, TelemetryService } from "@toolmeter/core";
import { BATCH_SIZE, call, turn, withDatabase } from "./workload.ts";

const RECORDS = 2_000_000;
const WARM_UP = 100_000;

/**
 * Measures how much the resident set grows from record 100,000 to record 2,000,000: while all of them are written, and
 * while another connection holds the write lock, as during an hour at 550 calls per second.
 */
export async function memory(): Promise<void> {
  await withDatabase((db) => grow("written", db, true));
  await withDatabase((db) => {
    db.$client.run("begin immediate");
    return grow("locked", db, false);
  });
}

async function grow(name: string, db: AnalyticsDb, isPaced: boolean): Promise<void> {
  const logger = {
    ...console,
    warn: () => undefined,
    debug: () => undefined,
    info: () => undefined,
  };
  await using telemetry = new TelemetryService(db, { logger });
  let first = 0;
  let highest = 0;
  for (let i = 0; i < RECORDS; i++) {
    telemetry.recordToolCall(call(i));
    if (i % BATCH_SIZE === BATCH_SIZE - 1) {
      await turn();
      if (isPaced) while (telemetry.stats.queued > 5_000) await turn();
    }
    if (i === WARM_UP) first = residentMegabytes();
    if (i > WARM_UP && i % 100_000 === 0) highest = Math.max(highest, residentMegabytes());
  }
  const last = residentMegabytes();
  const { written, queued, dropped } = telemetry.stats;
  console.log(
    `  ${name}: after ${WARM_UP} records ${first.toFixed(0)} MB, highest since ${highest.toFixed(0)} MB, after ${RECORDS} ${last.toFixed(0)} MB: ${(last - first).toFixed(1)} MB growth (${written} written, ${queued} queued, ${dropped.queue_full} dropped)`,
  );
  if (!isPaced) db.$client.run("rollback");
}

function residentMegabytes(): number {
  Bun.gc(true);
  return process.memoryUsage.rss() / 1e6;
}
