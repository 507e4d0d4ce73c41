import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAnalyticsDb } from "@toolmeter/core";
import { median } from "./statistics.ts";

const HOST = join(import.meta.dir, "programs/host.ts");

/** `TOOLMETER_BENCH_SECONDS=60` for the long run. */
const SECONDS = Number(process.env["TOOLMETER_BENCH_SECONDS"] ?? 8);
const ROUNDS = 3;
const LOCK_MS = 3_000;

interface Delay {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly dropped: number;
}

interface Load {
  readonly name: string;
  readonly processes?: number;
  readonly rate?: number;
  readonly bytes?: number;
  /** Whether another process holds the write lock for three seconds. */
  readonly isLocked?: boolean;
}

const LOADS: readonly Load[] = [
  { name: "2,000 calls/s" },
  { name: "the same, the file locked by another process for 3 s", isLocked: true },
  { name: "the same, 8 processes on one file", processes: 8 },
  { name: "100 calls/s with results of 100 kB captured", rate: 100, bytes: 100_000 },
];

/**
 * Measures how late the event loop of a host is, with and without telemetry, in turns: the delay of a timer of one
 * millisecond, in milliseconds. With several processes, the worst of them.
 */
export async function delay(): Promise<void> {
  for (const load of LOADS) {
    const without: Delay[] = [];
    const recorded: Delay[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      without.push(await run(load, false));
      recorded.push(await run(load, true));
    }
    console.log(`  ${load.name}, ${ROUNDS} × ${SECONDS} s`);
    for (const key of ["p50", "p99", "p999", "max"] as const) {
      const bare = median(without.map((each) => each[key]));
      const ours = median(recorded.map((each) => each[key]));
      const shown = (value: number) => value.toFixed(3).padStart(9);
      console.log(
        `    ${key.padEnd(4)} without ${shown(bare)}  with ${shown(ours)}  added ${shown(ours - bare)} ms`,
      );
    }
    const dropped = recorded.reduce((sum, each) => sum + each.dropped, 0);
    if (dropped > 0) console.log(`    ${dropped} records dropped`);
  }
}

async function run(load: Load, isRecorded: boolean): Promise<Delay> {
  const directory = mkdtempSync(join(tmpdir(), "toolmeter-bench-"));
  const file = join(directory, "bench.db");
  try {
    using db = createAnalyticsDb(file);
    const hosts = Array.from({ length: load.processes ?? 1 }, () =>
      host(load, isRecorded ? file : "none"),
    );
    if (load.isLocked) {
      await Bun.sleep(2_000);
      db.$client.run("begin immediate");
      await Bun.sleep(LOCK_MS);
      db.$client.run("rollback");
    }
    const delays = await Promise.all(hosts);
    const worst = (key: keyof Delay) => Math.max(...delays.map((each) => each[key]));
    return {
      p50: worst("p50"),
      p99: worst("p99"),
      p999: worst("p999"),
      max: worst("max"),
      dropped: delays.reduce((sum, each) => sum + each.dropped, 0),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function host({ rate = 2_000, bytes = 0 }: Load, file: string): Promise<Delay> {
  const child = Bun.spawn([process.execPath, HOST, file, `${SECONDS}`, `${rate}`, `${bytes}`], {
    stdout: "pipe",
    stderr: "inherit",
  });
  return JSON.parse(await child.stdout.text());
}
