import { TelemetryService } from "@toolmeter/core";
import { distribution } from "./statistics.ts";
import { BATCH_SIZE, call, turn, withDatabase } from "./workload.ts";

const CALLS = 300_000;
const WARM_UP = 50_000;

/** Measures the time in `recordToolCall`, with validation and journal, while a worker writes. */
export async function record(): Promise<void> {
  await withDatabase(async (db) => {
    await using telemetry = new TelemetryService(db);
    const microseconds = new Float64Array(CALLS - WARM_UP);
    for (let i = 0; i < CALLS; i++) {
      const metadata = call(i);
      const startedAt = Bun.nanoseconds();
      telemetry.recordToolCall(metadata);
      const elapsed = (Bun.nanoseconds() - startedAt) / 1_000;
      if (i >= WARM_UP) microseconds[i - WARM_UP] = elapsed;
      // Never outrun the disk, because a call that a full queue refuses is cheaper.
      if (i % BATCH_SIZE === BATCH_SIZE - 1) {
        do await turn();
        while (telemetry.stats.queued > 5_000);
      }
    }
    if (telemetry.stats.dropped.queue_full > 0) throw new Error("the queue was full");
    console.log(`  recordToolCall  ${distribution(microseconds, "µs")}`);
  });
}
