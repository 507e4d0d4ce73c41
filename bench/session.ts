import { TelemetryService } from "@toolmeter/core";
import { distribution } from "./statistics.ts";
import { BATCH_SIZE, call, withDatabase } from "./workload.ts";

const SESSIONS = 2_000;

/** Measures a session of 50 calls: the time on the caller's stack, and the time until `flush()` resolves. */
export async function session(): Promise<void> {
  await withDatabase(async (db) => {
    await using telemetry = new TelemetryService(db);
    const recorded: number[] = [];
    const flushed: number[] = [];
    for (let i = 0; i < SESSIONS; i++) {
      const sessionId = `session-${i}`;
      const startedAt = Bun.nanoseconds();
      telemetry.startSession(sessionId, { clientName: "claude", transport: "stdio" });
      for (let j = 0; j < BATCH_SIZE; j++) {
        telemetry.recordToolCall({ ...call(i * BATCH_SIZE + j), sessionId });
      }
      telemetry.endSession(sessionId);
      recorded.push((Bun.nanoseconds() - startedAt) / 1e6);
      await telemetry.flush();
      flushed.push((Bun.nanoseconds() - startedAt) / 1e6);
    }
    console.log(`  on the caller's stack  ${distribution(recorded.slice(SESSIONS / 10), "ms")}`);
    console.log(`  until it is written    ${distribution(flushed.slice(SESSIONS / 10), "ms")}`);
  });
}
