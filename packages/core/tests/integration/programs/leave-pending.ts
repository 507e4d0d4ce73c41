/**
 * Leaves telemetry pending and comes to its end, with intervals far longer than any test. Arguments: the
 * file, how many calls, and "shutdown" to wait for it.
 */
import { TelemetryService, createAnalyticsDb } from "../../../src/analytics/index.ts";

const [file, calls, end] = process.argv.slice(2);
const logger = { debug: noop, info: noop, warn: noop, error: noop };
const telemetry = new TelemetryService(createAnalyticsDb(file), {
  flushIntervalMs: 3_600_000,
  shutdownTimeoutMs: 300,
  logger,
});

for (let index = 0; index < Number(calls); index += 1) {
  telemetry.recordToolCall({ toolName: "echo", durationMs: 1 });
}
const result =
  end === "shutdown" ? await telemetry.shutdown() : { remaining: telemetry.stats.queued };
process.stdout.write(JSON.stringify(result));

function noop(): void {}
