/**
 * Records calls as a busy host does, some every few milliseconds, and prints what its event loop saw and
 * what the service counted. Arguments: the file, how many calls.
 */
import { TelemetryService, createAnalyticsDb } from "../../../src/analytics/index.ts";

const SLICE = 50;
const PAUSE_MS = 10;
const WATCH_MS = 2;

const [file, count] = process.argv.slice(2);
const total = Number(count);

using db = createAnalyticsDb(file);
const telemetry = new TelemetryService(db);

const gaps: number[] = [];
let lastTurn = performance.now();
const watch = setInterval(() => {
  gaps.push(performance.now() - lastTurn);
  lastTurn = performance.now();
}, WATCH_MS);

for (let index = 0; index < total; index += 1) {
  telemetry.recordToolCall({
    toolName: `tool ${index % 10}`,
    durationMs: index,
    requestId: index,
    transport: `${process.pid}`,
  });
  if (index % SLICE === SLICE - 1) await Bun.sleep(PAUSE_MS);
}
while ((await telemetry.flush()).remaining > 0);
clearInterval(watch);
await telemetry.shutdown();

const { accepted, written, queued, lockWaitMaxMs } = telemetry.stats;
const sorted = gaps.toSorted((a, b) => a - b);
const at = (part: number) => sorted[Math.ceil(part * sorted.length) - 1] ?? 0;
process.stdout.write(
  JSON.stringify({
    counts: { accepted, written, queued },
    lockWaitMaxMs,
    gapMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
  }),
);
