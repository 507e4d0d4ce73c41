/**
 * Records calls under load until its input ends, then shuts down. Prints the number of each call and the time once the
 * call is accepted. Arguments: the file, a name for its calls, and the limit of the shutdown in milliseconds.
 */
import { writeSync } from "node:fs";
import { TelemetryService, createAnalyticsDb } from "../../../src/analytics/index.ts";

const [file, name, shutdownTimeoutMs] = process.argv.slice(2);
const db = createAnalyticsDb(file);
const telemetry = new TelemetryService(db, {
  flushIntervalMs: 20,
  shutdownTimeoutMs: Number(shutdownTimeoutMs),
});
const input = { hasEnded: false };
process.stdin.on("end", () => (input.hasEnded = true)).resume();

for (let number = 0; !input.hasEnded; number += 1) {
  telemetry.recordToolCall({ toolName: "echo", durationMs: 1, requestId: `${name}-${number}` });
  writeSync(1, `${number} ${Date.now()}\n`);
  if (number % 20 === 19) await Bun.sleep(1);
}
const { outcome } = await telemetry.shutdown();
db.close();
process.exitCode = outcome === "written" ? 0 : 3;
