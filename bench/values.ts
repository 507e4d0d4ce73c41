/** Measures the cost of reading the values of a call: ordinary values, and values that would take long to read. */
import { TelemetryService, createAnalyticsDb } from "@toolmeter/core";
import { median } from "./statistics.ts";

const ROUNDS = 15;

function rows(count: number) {
  const row = (i: number) => ({ id: i, name: `name ${i}`, active: i % 2 === 0, tags: ["a", "b"] });
  return { rows: Array.from({ length: count }, (_, i) => row(i)) };
}

const ORDINARY: Record<string, object> = {
  "no payload": {},
  "200 bytes of arguments": { arguments: rows(4) },
  "10 kB of rows": { result: rows(185) },
  "10 kB of text": { result: { text: 'He said "hello".\n'.repeat(580) } },
  "100 kB of rows": { result: rows(1_800) },
  "100 kB of text": { result: { text: 'He said "hello".\n'.repeat(5_800) } },
};

function doubled(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value, value];
  return value;
}

function holes(length: number): unknown[] {
  const list: unknown[] = [];
  list.length = length;
  return list;
}

const entries = (count: number, key: (i: number) => string) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [key(i), i]));

const HOSTILE: Record<string, () => unknown> = {
  "0.1 MB of bytes": () => new Uint8Array(100_000),
  "6 MB of bytes": () => new Uint8Array(6_000_000),
  "a 50 MB buffer": () => Buffer.alloc(50_000_000),
  "100 million holes": () => holes(100_000_000),
  "shared references, 29 levels": () => doubled(29),
  "1,000,000 properties": () => entries(1_000_000, (i) => `k${i}`),
  "1,000,000 integer properties": () => entries(1_000_000, String),
  "16,000 properties": () => entries(16_000, (i) => `k${i}`),
  "1,000,000 numbers": () => Array.from({ length: 1_000_000 }, (_, i) => i / 7),
  "100,000 dates": () => Array.from({ length: 100_000 }, (_, i) => new Date(i)),
  "50 MB of text": () => Buffer.alloc(50_000_000, "x").toString(),
  "5 MB of control characters": () => Buffer.alloc(5_000_000, 1).toString(),
  "5 MB of lone surrogates": () => "\ud800".repeat(5_000_000),
  "64 MB, concatenated": () => Array.from({ length: 26 }).reduce<string>((s) => s + s, "x"),
  "a million bigints of 999 digits": () => Array.from({ length: 1_000_000 }, () => 10n ** 998n),
};

/** Microseconds per `recordToolCall`, as a ratio to `JSON.stringify` of the same values, in turns. */
function ordinary(telemetry: TelemetryService): void {
  for (const [name, payload] of Object.entries(ORDINARY)) {
    const times: Record<"ours" | "native", number[]> = { ours: [], native: [] };
    const count = Math.max(20, Math.round(2_000_000 / (JSON.stringify(payload).length + 200)));
    const measure = (work: () => void) => {
      const begun = Bun.nanoseconds();
      for (let i = 0; i < count; i++) work();
      return (Bun.nanoseconds() - begun) / count / 1_000;
    };
    for (let round = 0; round < ROUNDS; round++) {
      const call = { toolName: "a", durationMs: 1, ...payload };
      times.ours.push(measure(() => telemetry.recordToolCall(call)));
      times.native.push(measure(() => JSON.stringify(call)));
    }
    const [ours, native] = [median(times.ours), median(times.native)];
    console.log(
      `  ${name.padEnd(34)}${ours.toFixed(1).padStart(8)} µs  ${(ours / native).toFixed(1)} × JSON.stringify`,
    );
  }
}

/** Milliseconds of CPU and of the clock in the calling thread, for the first call with a value and for the median. */
function hostile(telemetry: TelemetryService): void {
  for (const [name, make] of Object.entries(HOSTILE)) {
    const v = make();
    Bun.gc(true);
    const clock: number[] = [];
    const cpu = Array.from({ length: ROUNDS }, () => {
      const used = process.threadCpuUsage();
      const begun = Bun.nanoseconds();
      telemetry.recordToolCall({ toolName: "a", durationMs: 1, attributes: { v }, result: v });
      clock.push((Bun.nanoseconds() - begun) / 1_000_000);
      const { user, system } = process.threadCpuUsage(used);
      return (user + system) / 1_000;
    });
    const shown = (ms = Number.NaN) => `${ms.toFixed(2).padStart(6)} ms`;
    console.log(
      `  ${name.padEnd(34)}first ${shown(cpu[0])}  median ${shown(median(cpu))}  clock ${shown(median(clock))}`,
    );
  }
}

export async function values(): Promise<void> {
  using db = createAnalyticsDb(":memory:");
  // A writer that does nothing, because only the calling thread is measured.
  const writer = { write: async () => [] };
  await using telemetry = new TelemetryService(db, {
    capturePayloads: true,
    writer,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
  ordinary(telemetry);
  hostile(telemetry);
}
