import { TelemetryService } from "@toolmeter/core";
import { distribution, median } from "./statistics.ts";
import { BATCH_SIZE, call, withDatabase } from "./workload.ts";

const SESSIONS = 2_000;

/**
 * What a session of 50 calls costs the calling thread until it is flushed, with SQLite's automatic
 * checkpoint switched off and then as it is by default.
 */
export async function session(): Promise<void> {
  const without = await sessionMilliseconds(0);
  const withCheckpoints = await sessionMilliseconds(1_000);
  console.log(`  without checkpoints  ${distribution(without, "ms a session")}`);
  console.log(`                       ${distribution(perCall(without), "ms a call")}`);
  console.log(`  with checkpoints     ${distribution(withCheckpoints, "ms a session")}`);
  const share = sum(withCheckpoints) / sum(without);
  console.log(
    `  checkpoints: ${share.toFixed(2)} × the total time, median ratio ${(median(withCheckpoints) / median(without)).toFixed(2)}`,
  );
}

async function sessionMilliseconds(autocheckpointPages: number): Promise<Float64Array> {
  return withDatabase(async (db) => {
    db.$client.run(`pragma wal_autocheckpoint = ${autocheckpointPages}`);
    // Two more than the calls: the start and the end travel with them, in one batch.
    await using telemetry = new TelemetryService(db, { batchSize: BATCH_SIZE + 2 });
    const milliseconds = new Float64Array(SESSIONS);
    for (let i = 0; i < SESSIONS; i++) {
      const sessionId = `session-${i}`;
      const startedAt = Bun.nanoseconds();
      telemetry.startSession(sessionId, { clientName: "claude", transport: "stdio" });
      for (let j = 0; j < BATCH_SIZE; j++) {
        telemetry.recordToolCall({ ...call(i * BATCH_SIZE + j), sessionId });
      }
      telemetry.endSession(sessionId);
      await telemetry.flush();
      milliseconds[i] = (Bun.nanoseconds() - startedAt) / 1e6;
    }
    return milliseconds.subarray(SESSIONS / 10);
  });
}

function perCall(milliseconds: Float64Array): Float64Array {
  return milliseconds.map((value) => value / BATCH_SIZE);
}

function sum(samples: Float64Array): number {
  return samples.reduce((total, value) => total + value, 0);
}
