/**
 * Records calls as a busy host does, some every few milliseconds, and prints what its event loop and its
 * writer saw. Arguments: the file, how many calls.
 */
import { type TelemetryRecord, TelemetryService, createAnalyticsDb } from "../../../src/analytics/index.ts";
import { Writer } from "../../../src/analytics/writer.ts";

const SLICE = 50;
const PAUSE_MS = 5;

const [file, count] = process.argv.slice(2);
const total = Number(count);

/** How long each try for the lock held the thread, in milliseconds. */
const tries = { won: [] as number[], lost: [] as number[], longestCpuMs: 0 };

class MeasuredWriter extends Writer {
  override commit(batch: readonly TelemetryRecord[]) {
    const startedAt = performance.now();
    const cpu = process.threadCpuUsage();
    let outcome = tries.lost;
    try {
      const rejections = super.commit(batch);
      outcome = tries.won;
      return rejections;
    } finally {
      const { user, system } = process.threadCpuUsage(cpu);
      tries.longestCpuMs = Math.max(tries.longestCpuMs, (user + system) / 1_000);
      outcome.push(performance.now() - startedAt);
    }
  }
}

const gaps: number[] = [];
let last = performance.now();
const watch = setInterval(() => {
  const now = performance.now();
  gaps.push(now - last);
  last = now;
}, 2);

using db = createAnalyticsDb(file);
const telemetry = new TelemetryService(db, { writer: new MeasuredWriter(db, "measured") });
for (let index = 0; index < total; ) {
  for (const end = Math.min(total, index + SLICE); index < end; index += 1) {
    telemetry.recordToolCall({ toolName: `tool ${index % 10}`, durationMs: index, requestId: index, transport: `${process.pid}` });
  }
  await Bun.sleep(PAUSE_MS);
}
while ((await telemetry.flush()).remaining > 0);
clearInterval(watch);

const { accepted, written, queued, dropped, failedFlushes } = telemetry.stats;
await telemetry.shutdown();
process.stdout.write(
  JSON.stringify({
    counts: { accepted, written, queued, dropped: Object.values(dropped).reduce((sum, part) => sum + part, 0) },
    failedFlushes,
    busyTimeoutMs: db.$client.query("pragma busy_timeout").values()[0]?.[0],
    gapMs: { p50: quantile(gaps, 0.5), p99: quantile(gaps, 0.99), max: quantile(gaps, 1) },
    commitMs: { p50: quantile(tries.won, 0.5), p99: quantile(tries.won, 0.99), max: quantile(tries.won, 1) },
    lostTries: tries.lost.length,
    lostTryMs: { p50: quantile(tries.lost, 0.5), p99: quantile(tries.lost, 0.99), max: quantile(tries.lost, 1) },
    longestCommitCpuMs: tries.longestCpuMs,
  }),
);

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(part * sorted.length) - 1] ?? 0;
}
