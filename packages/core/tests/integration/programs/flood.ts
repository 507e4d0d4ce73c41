/**
 * Records calls as fast as it can, some of them in flight for a while, and prints the number of each as soon
 * as it is accepted, until it is killed. Argument: the file.
 */
import { writeSync } from "node:fs";
import { TelemetryService, createAnalyticsDb } from "../../../src/analytics/index.ts";

const telemetry = new TelemetryService(createAnalyticsDb(process.argv[2]), {
  capturePayloads: true,
});
const big = "x".repeat(20_000);

for (let number = 0; ; number += 1) {
  const metadata = { toolName: "echo", sessionId: `s${number >> 8}`, requestId: number };
  if (number % 64 === 0) {
    const call = telemetry.startToolCall(metadata);
    setTimeout(() => call.end(), 2);
  } else {
    const result = number % 50 === 0 ? { result: big } : {};
    telemetry.recordToolCall({ ...metadata, durationMs: 1, ...result });
  }
  writeSync(1, `${number}\n`);
  // A call that a full queue refuses is not accepted.
  if (number % 100 === 99) {
    do await new Promise((resolve) => setImmediate(resolve));
    while (telemetry.stats.queued > 5_000);
  }
}
