/**
 * Leaves telemetry pending and comes to its end, with intervals far longer than any test. Arguments: the
 * file, how many calls, and how many milliseconds a shutdown may take; none without.
 */
import { TelemetryService, createAnalyticsDb } from "../../../src/analytics/index.ts";

const [file, calls, timeoutMs] = process.argv.slice(2);
const logger = { debug: noop, info: noop, warn: noop, error: noop };
const telemetry = new TelemetryService(createAnalyticsDb(file), {
  flushIntervalMs: 3_600_000,
  shutdownTimeoutMs: Number(timeoutMs ?? 300),
  logger,
});

for (let index = 0; index < Number(calls); index += 1) {
  telemetry.recordToolCall({ toolName: "echo", durationMs: 1 });
}
const result =
  timeoutMs === undefined ? { remaining: telemetry.stats.queued } : await telemetry.shutdown();
process.stdout.write(JSON.stringify(result));

function noop(): void {}
