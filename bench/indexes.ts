/**
 * Measures how much each index of `tool_calls` slows a write and speeds up reads.
 *
 *   bun bench/indexes.ts [rows=1000000] [candidate …]
 *
 * Each candidate has its own file with the same rows (40 tools, 90 days, sessions of 64 calls, 5 % failures), written in
 * batches of 50 by the same statement. Writes are ratios to a table that has only its unique id, reads are milliseconds
 * (median of 5) on the same files. The order of the files changes in each round, so that noise favours none.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AnalyticsDb, createAnalyticsDb } from "@toolmeter/core";
import { median } from "./statistics.ts";

const ROWS = Number(process.argv[2] ?? 1_000_000);
const WANTED = process.argv.slice(3);
const ROUNDS = 3;
const DAYS = 90;
const NOW = Date.UTC(2026, 10, 1);
const STEP_MS = (DAYS * 86_400_000) / ROWS;

const CANDIDATES: Record<string, readonly string[]> = {
  "id only": [],
  "tool, start, duration, status": ["(tool_name, started_at_ms, duration_ms, status)"],
  "start, tool, duration, status": ["(started_at_ms, tool_name, duration_ms, status)"],
  start: ["(started_at_ms)"],
  "session, start, status": ["(session_id, started_at_ms, status)"],
  "start where failed": [
    "(started_at_ms) where status in ('error', 'rejected', 'timeout', 'abandoned')",
  ],
  "the schema's": [],
};

const NAMES = Object.keys(CANDIDATES).filter(
  (name) => WANTED.length === 0 || name === "id only" || WANTED.includes(name),
);

const WEEK = NOW - 7 * 86_400_000;
const QUERIES: Record<string, string> = {
  "tools, all time": `select tool_name, count(*), sum(status = 'error') from tool_calls group by tool_name`,
  "tools, 7 days": `select tool_name, count(*), sum(status = 'error') from tool_calls where started_at_ms >= ${WEEK} group by tool_name`,
  "durations of a tool, 7 days": `select duration_ms from tool_calls where tool_name = 'tool_7' and started_at_ms >= ${WEEK}`,
  "latest 50 calls": `select * from tool_calls order by started_at_ms desc limit 50`,
  "latest 50 failures": `select * from v_errors order by started_at_ms desc limit 50`,
  "calls of a session": `select * from tool_calls where session_id = 'session-100' order by started_at_ms`,
  "latest 50 sessions": `select * from v_sessions order by started_at_ms desc limit 50`,
};

function build(path: string, name: string, indexes: readonly string[]): [AnalyticsDb, number] {
  const db = createAnalyticsDb(path);
  const client = db.$client;
  if (name !== "the schema's") {
    for (const index of ["by_time", "by_session"]) {
      client.run(`drop index if exists tool_calls_${index}`);
    }
    for (const [i, columns] of indexes.entries()) {
      client.run(`create index candidate_${i} on tool_calls ${columns}`);
    }
  }
  const session = client.prepare(
    "insert into sessions (id, started_at_ms, recorder_id) values (?, ?, 'bench') on conflict do nothing",
  );
  const call = client.prepare(
    `insert into tool_calls (id, tool_name, session_id, started_at_ms, duration_ms, status, error_message,
       input_bytes, output_bytes, request_id, client_name, client_version, server_name, transport)
     values (?, ?, ?, ?, ?, ?, ?, 120, 400, ?, 'claude', '1.0', 'server', 'stdio')`,
  );
  const startedAt = Bun.nanoseconds();
  for (let row = 0; row < ROWS; row += 50) {
    client.run("begin immediate");
    session.run(`session-${row >> 6}`, time(row));
    session.run(`session-${(row + 49) >> 6}`, time(row));
    for (let i = row; i < row + 50; i++) {
      const failed = (i * 13) % 20 === 0;
      call.run(
        Bun.randomUUIDv7("hex", time(i)),
        `tool_${(i * 7919) % 40}`,
        `session-${i >> 6}`,
        time(i),
        (i * 7919) % 1000,
        failed ? "error" : "success",
        failed ? "something went wrong" : null,
        String(i),
      );
    }
    client.run("commit");
  }
  return [db, (Bun.nanoseconds() - startedAt) / 1_000 / ROWS];
}

function time(row: number): number {
  return Math.round(NOW - (ROWS - row) * STEP_MS);
}

function milliseconds(db: AnalyticsDb, sql: string): number {
  const statement = db.$client.prepare(sql);
  const samples = Array.from({ length: 5 }, () => {
    const startedAt = Bun.nanoseconds();
    statement.values();
    return (Bun.nanoseconds() - startedAt) / 1e6;
  });
  return median(samples);
}

const directory = mkdtempSync(join(tmpdir(), "toolmeter-bench-"));
const writes = new Map<string, number[]>();
const reads: Record<string, Record<string, string>> = {};
const sizes = new Map<string, number>();
try {
  for (let round = 0; round < ROUNDS; round++) {
    const order = [...NAMES.slice(round), ...NAMES.slice(0, round)];
    for (const name of order) {
      const path = join(directory, "bench.db");
      for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
      const [db, microseconds] = build(path, name, CANDIDATES[name] ?? []);
      writes.set(name, [...(writes.get(name) ?? []), microseconds]);
      if (round === ROUNDS - 1) {
        db.$client.run("pragma wal_checkpoint(truncate)");
        sizes.set(name, statSync(path).size);
        reads[name] = Object.fromEntries(
          Object.entries(QUERIES).map(([label, sql]) => [label, milliseconds(db, sql).toFixed(2)]),
        );
      }
      db.close();
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

const base = median(writes.get("id only") ?? []);
console.log(`${ROWS} rows; a write of "id only" is 1.00 = ${base.toFixed(1)} µs per row\n`);
for (const name of NAMES) {
  const ratio = median(writes.get(name) ?? []) / base;
  const bytes = ((sizes.get(name) ?? 0) - (sizes.get("id only") ?? 0)) / ROWS;
  console.log(`${name}: write ${ratio.toFixed(2)}, +${bytes.toFixed(0)} bytes per row`);
  for (const [label, value] of Object.entries(reads[name] ?? {})) {
    console.log(`    ${label.padEnd(30)} ${value.padStart(9)} ms`);
  }
}
