import { TelemetryService } from "@toolmeter/core";
import { BATCH_SIZE, call, turn, withDatabase } from "./workload.ts";

const RECORDS = 2_000_000;
const WARM_UP = 100_000;

/** How much the resident set grows from record 100,000 to record 2,000,000. */
export async function memory(): Promise<void> {
  await withDatabase(async (db) => {
    await using telemetry = new TelemetryService(db);
    let first = 0;
    let highest = 0;
    for (let i = 0; i < RECORDS; i++) {
      telemetry.recordToolCall(call(i));
      if (i % BATCH_SIZE === BATCH_SIZE - 1) await turn();
      if (i === WARM_UP) first = residentMegabytes();
      if (i > WARM_UP && i % 100_000 === 0) highest = Math.max(highest, residentMegabytes());
    }
    await telemetry.flush();
    const last = residentMegabytes();
    console.log(
      `  after ${WARM_UP} records ${first.toFixed(0)} MB, highest since ${highest.toFixed(0)} MB, after ${RECORDS} ${last.toFixed(0)} MB: ${(last - first).toFixed(1)} MB growth`,
    );
  });
}

function residentMegabytes(): number {
  Bun.gc(true);
  return process.memoryUsage.rss() / 1e6;
}
