/**
 * Simulates the event loop of a tool server: a few calls every few milliseconds, recorded or not, for some seconds.
 * Prints the percentiles of the delay of its one-millisecond timer.
 *
 *   bun bench/programs/host.ts <file, or "none"> <seconds> <calls per second> <bytes of a result>
 */
import { TelemetryService, createAnalyticsDb } from "@toolmeter/core";
import { call } from "../workload.ts";

const TICK_MS = 5;

const [file = "none", seconds, rate, bytes] = process.argv.slice(2);
const perTick = (Number(rate) * TICK_MS) / 1_000;
const result = Number(bytes) > 0 ? { result: "x".repeat(Number(bytes)) } : {};

const telemetry =
  file === "none"
    ? undefined
    : new TelemetryService(createAnalyticsDb(file), { capturePayloads: true });

let calls = 0;
let due = 0;
const work = setInterval(() => {
  for (due += perTick; due >= 1; due -= 1) {
    const metadata = { ...call(calls++), ...result };
    telemetry?.recordToolCall(metadata);
  }
}, TICK_MS);

const late: number[] = [];
let expected = performance.now() + 1;
const watch = setInterval(() => {
  const now = performance.now();
  late.push(Math.max(0, now - expected));
  expected = now + 1;
}, 1);

// Warm-up: loads modules and compiles code, which is not measured.
await Bun.sleep(1_000);
late.length = 0;
await Bun.sleep(Number(seconds) * 1_000);
clearInterval(watch);
clearInterval(work);

const sorted = Float64Array.from(late).toSorted();
const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
const stats = telemetry?.stats;
const dropped = Object.values(stats?.dropped ?? {}).reduce((sum, count) => sum + count, 0);
console.log(
  JSON.stringify({ p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1), calls, dropped }),
);
process.exit(0);
