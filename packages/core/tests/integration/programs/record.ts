/**
 * Records calls as a busy host does, some every few milliseconds, and prints what its event loop and its
 * writer saw. Arguments: the file, how many calls.
 */
import {
  type TelemetryRecord,
  TelemetryService,
  createAnalyticsDb,
} from "../../../src/analytics/index.ts";
import { Writer } from "../../../src/analytics/writer.ts";

const SLICE = 50;
const PAUSE_MS = 10;
const WATCH_MS = 2;

const [file, count] = process.argv.slice(2);
const total = Number(count);

/** How long the thread was held, in milliseconds, by batches that were stored and by tries that met a lock. */
const stored: number[] = [];
const storedCpu: number[] = [];
const locked: number[] = [];

class MeasuredWriter extends Writer {
  override commit(batch: readonly TelemetryRecord[]) {
    const startedAt = performance.now();
    const cpu = process.threadCpuUsage();
    try {
      const rejections = super.commit(batch);
      const { user, system } = process.threadCpuUsage(cpu);
      storedCpu.push((user + system) / 1_000);
      stored.push(performance.now() - startedAt);
      return rejections;
    } catch (error) {
      locked.push(performance.now() - startedAt);
      throw error;
    }
  }
}

using db = createAnalyticsDb(file);
const telemetry = new TelemetryService(db, { writer: new MeasuredWriter(db, "recorder") });

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

const { accepted, written, queued } = telemetry.stats;
process.stdout.write(
  JSON.stringify({
    counts: { accepted, written, queued },
    busyTimeoutMs: db.$client.query("pragma busy_timeout").values()[0]?.[0],
    gapMs: summary(gaps),
    storedMs: summary(stored),
    storedCpuMs: summary(storedCpu),
    lockedMs: summary(locked),
  }),
);

function summary(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.ceil(part * sorted.length) - 1] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}
