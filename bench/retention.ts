/**
 * Measures the cost of retention: how much longer writing takes with `auto_vacuum`, how long each slice that removes
 * calls or returns space blocks the writer, compared with one `VACUUM`, and what a busy host notices while expired
 * calls are removed.
 *
 *   bun bench/retention.ts [calls]
 */
import { Database } from "bun:sqlite";
import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TelemetryService, createAnalyticsDb } from "@toolmeter/core";
import { distribution, median, percentile } from "./statistics.ts";
import { call } from "./workload.ts";

const CALLS = Number(process.argv[2] ?? 200_000);
const ROUNDS = 5;
const BATCH_SIZE = 50;

/** The busy host: calls per second, for how long, and how many expired calls its file contains. */
const CALLS_PER_SECOND = 120;
const LOAD_SECONDS = 8;
const EXPIRED = 20_000;

const directory = mkdtempSync(join(tmpdir(), "toolmeter-bench-"));
const filled = join(directory, "filled.db");
try {
  await fill(filled, CALLS);
  console.log(`  ${CALLS} calls, ${megabytes(filled)} MB`);
  autoVacuum();
  slices();
  vacuum();
  await underLoad();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function fill(file: string, calls: number): Promise<void> {
  using db = createAnalyticsDb(file);
  await using telemetry = new TelemetryService(db, { journal: false });
  for (let i = 0; i < calls; i++) {
    telemetry.recordToolCall(call(i));
    if (i % 5_000 === 4_999) await telemetry.flush();
  }
}

/** Writes the same rows into two empty tables, with `auto_vacuum` and without, in turns. */
function autoVacuum(): void {
  const ratios = Array.from(
    { length: ROUNDS },
    () => copySeconds("incremental") / copySeconds("none"),
  );
  console.log(`  writing with auto_vacuum: ${median(ratios).toFixed(2)} × the time without`);
}

function copySeconds(autoVacuumMode: string): number {
  const file = join(directory, "copy.db");
  using client = new Database(file, { create: true });
  client.run(`pragma auto_vacuum = ${autoVacuumMode}`);
  client.run("pragma journal_mode = wal");
  client.run("pragma synchronous = normal");
  client.run(`attach '${filled}' as source`);
  const statements = client
    .query("select sql from source.sqlite_schema where tbl_name = 'tool_calls' and sql is not null")
    .values();
  for (const [sql] of statements) client.run(String(sql));
  const insert = client.prepare(
    `insert into main.tool_calls select * from source.tool_calls where sequence > ? and sequence <= ?`,
  );
  const startedAt = Bun.nanoseconds();
  for (let first = 0; first < CALLS / 4; first += BATCH_SIZE) insert.run(first, first + BATCH_SIZE);
  const seconds = (Bun.nanoseconds() - startedAt) / 1e9;
  client.close(true);
  for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
  return seconds;
}

/** Runs the statements of `retention.ts` until half of the calls are removed and their space is returned. */
function slices(): void {
  const file = join(directory, "slices.db");
  copyFileSync(filled, file);
  using client = new Database(file);
  const remove = client.prepare(
    "delete from tool_calls where sequence in (select sequence from tool_calls where sequence <= ? order by sequence limit 500)",
  );
  const removing: number[] = [];
  const giving: number[] = [];
  const timed = <T>(times: number[], step: () => T): T => {
    const startedAt = Bun.nanoseconds();
    const result = step();
    times.push((Bun.nanoseconds() - startedAt) / 1e6);
    return result;
  };
  while (timed(removing, () => remove.run(CALLS / 2).changes) > 0);
  const free = () => Number(client.query("pragma freelist_count").values()[0]?.[0]);
  while (free() > 250) timed(giving, () => client.run("pragma incremental_vacuum(250)"));
  client.run("pragma wal_checkpoint(truncate)");
  console.log(`  removing 500 calls     ${distribution(removing, "ms")}`);
  console.log(`  giving back 250 pages  ${distribution(giving, "ms")}`);
  console.log(`  half of the calls: ${megabytes(file)} MB`);
}

function vacuum(): void {
  const file = join(directory, "vacuum.db");
  copyFileSync(filled, file);
  using client = new Database(file);
  client.run("delete from tool_calls where sequence <= ?", [CALLS / 2]);
  const startedAt = Bun.nanoseconds();
  client.run("vacuum");
  console.log(
    `  one VACUUM: ${((Bun.nanoseconds() - startedAt) / 1e6).toFixed(0)} ms, all of it holding the lock`,
  );
}

/** Runs a host that records without a pause, with retention and without, in turns. */
async function underLoad(): Promise<void> {
  const kept: LoadedHost[] = [];
  const removing: LoadedHost[] = [];
  for (let round = 0; round < 3; round++) {
    kept.push(await loadedHost({}));
    removing.push(await loadedHost({ maxAgeDays: 1 }));
  }
  const pooled = (hosts: readonly LoadedHost[], key: "recordUs" | "flushMs") =>
    hosts.flatMap((host) => host[key]);
  console.log(
    `  ${CALLS_PER_SECOND} calls/s for ${LOAD_SECONDS} s, ${EXPIRED} expired calls, 3 rounds`,
  );
  for (const [name, key, unit] of [
    ["recording", "recordUs", "µs"],
    ["flush    ", "flushMs", "ms"],
  ] as const) {
    const without = pooled(kept, key);
    const removed = pooled(removing, key);
    const ratio = (share: number) =>
      (percentile(removed, share) / percentile(without, share)).toFixed(2);
    console.log(`    ${name}  without  ${distribution(without, unit)}`);
    console.log(`    ${name}  with     ${distribution(removed, unit)}`);
    console.log(`    ${name}  ratio    p50 ${ratio(0.5)} ×  p99 ${ratio(0.99)} ×`);
  }
  const left = removing.map(({ expired }) => expired).join(", ");
  console.log(`    expired calls left when the load ended: ${left}`);
}

interface LoadedHost {
  readonly recordUs: readonly number[];
  readonly flushMs: readonly number[];
  /** Calls that had expired and are still in the file when the load ends. */
  readonly expired: number;
}

async function loadedHost(retention: { readonly maxAgeDays?: number }): Promise<LoadedHost> {
  const file = join(directory, "loaded.db");
  await fill(file, EXPIRED);
  const recordUs: number[] = [];
  const flushMs: number[] = [];
  const telemetry = new TelemetryService(file, { retention, flushIntervalMs: 200 });
  const startedAt = performance.now();
  for (let i = 0; performance.now() - startedAt < LOAD_SECONDS * 1_000; i++) {
    const before = Bun.nanoseconds();
    telemetry.recordToolCall({ ...call(i), startedAt: Date.now() });
    recordUs.push((Bun.nanoseconds() - before) / 1e3);
    if (i % CALLS_PER_SECOND === CALLS_PER_SECOND - 1) {
      const flushedAt = performance.now();
      await telemetry.flush();
      flushMs.push(performance.now() - flushedAt);
    }
    await Bun.sleep(1_000 / CALLS_PER_SECOND);
  }
  using reader = new Database(file, { readonly: true });
  const [[expired] = []] = reader
    .query("select count(*) from tool_calls where started_at_ms < ?")
    .values(Date.now() - 86_400_000);
  reader.close();
  await telemetry.shutdown();
  for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
  return { recordUs, flushMs, expired: Number(expired) };
}

function megabytes(file: string): string {
  return (statSync(file).size / 1e6).toFixed(0);
}
