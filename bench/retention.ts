/**
 * What giving space back costs: the share of writing that pages which can be given back take, and how long
 * the writer is held by each slice of removing and giving back, against one `VACUUM`.
 *
 *   bun bench/retention.ts [calls]
 */
import { Database } from "bun:sqlite";
import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TelemetryService, createAnalyticsDb } from "@toolmeter/core";
import { distribution, median } from "./statistics.ts";
import { call } from "./workload.ts";

const CALLS = Number(process.argv[2] ?? 200_000);
const ROUNDS = 5;
const BATCH_SIZE = 50;

const directory = mkdtempSync(join(tmpdir(), "toolmeter-bench-"));
const filled = join(directory, "filled.db");
try {
  await fill(filled);
  console.log(`  ${CALLS} calls, ${megabytes(filled)} MB`);
  autoVacuum();
  slices();
  vacuum();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function fill(file: string): Promise<void> {
  using db = createAnalyticsDb(file);
  await using telemetry = new TelemetryService(db, { journal: false });
  for (let i = 0; i < CALLS; i++) {
    telemetry.recordToolCall(call(i));
    if (i % 5_000 === 4_999) await telemetry.flush();
  }
}

/** The same rows into two empty tables, with `auto_vacuum` and without, in turns. */
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

/** The statements of `retention.ts`, until half of the calls are gone and their space is given back. */
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

function megabytes(file: string): string {
  return (statSync(file).size / 1e6).toFixed(0);
}
