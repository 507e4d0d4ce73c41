/**
 * Has one call in flight and records another for each line on stdin, and says so; nothing is written to the
 * database. Argument: the file.
 */
import { TelemetryService, createAnalyticsDb } from "../../../src/analytics/index.ts";

const db = createAnalyticsDb(process.argv[2]);
const options = { flushIntervalMs: 600_000, batchSize: 10_000 };
const telemetry = new TelemetryService(db, options);
telemetry.startToolCall({ toolName: "slow", requestId: "slow" });
process.stdout.write("ready\n");

let requestId = 0;
for await (const _ of console) {
  telemetry.recordToolCall({ toolName: "echo", durationMs: 1, requestId: requestId++ });
  process.stdout.write("recorded\n");
}
