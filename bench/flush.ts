import { type AnalyticsDb, TelemetryService, sessions, toolCalls } from "@toolmeter/core";
import { getTableColumns } from "drizzle-orm";
import { median } from "./statistics.ts";
import { BATCH_SIZE, call, turn, withDatabase } from "./workload.ts";

const RECORDS = 40_000;
const WARM_UP = 5_000;
const ROUNDS = 15;

/**
 * Measures records per second that reach the file: `recordToolCall` with validation and journal, turns of the event
 * loop and `flush()`. The baseline is raw `bun:sqlite`, which inserts finished rows into the same table in the calling
 * thread, 50 per transaction. Toolmeter writes up to 20 waiting batches in one transaction.
 */
export async function flush(): Promise<void> {
  const ratios: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const raw = await withDatabase(async (db) => rawSeconds(db));
    const ours = await withDatabase(oursSeconds);
    // The first round warms up.
    if (round > 0) ratios.push(raw / ours);
  }
  const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
  console.log(
    `  record + flush: ${median(ratios).toFixed(2)} of raw bun:sqlite (${low.toFixed(2)} to ${high.toFixed(2)}, ${ROUNDS} rounds)`,
  );
}

async function oursSeconds(db: AnalyticsDb): Promise<number> {
  await using telemetry = new TelemetryService(db, { maxQueueSize: RECORDS });
  // Warm-up: the worker has started, and both threads have compiled their code, as in a running server.
  for (let i = 0; i < WARM_UP; i++) telemetry.recordToolCall(call(i));
  await telemetry.flush();
  const calls = Array.from({ length: RECORDS }, (_, i) => call(WARM_UP + i));
  Bun.gc(true);
  const startedAt = Bun.nanoseconds();
  for (const [i, metadata] of calls.entries()) {
    telemetry.recordToolCall(metadata);
    if (i % BATCH_SIZE === BATCH_SIZE - 1) await turn();
  }
  await telemetry.flush();
  const flushedAt = Bun.nanoseconds();
  if (telemetry.stats.written !== WARM_UP + RECORDS)
    throw new Error("not every record was written");
  return (flushedAt - startedAt) / 1e9;
}

/** The baseline: bind the values of each row and insert it, 50 rows per transaction. */
function rawSeconds(db: AnalyticsDb): number {
  const { sequence: _sequence, ...columns } = getTableColumns(toolCalls);
  const names = Object.values(columns).map(({ name }) => name);
  const insertCall = db.$client.prepare(
    `insert into tool_calls (${names.join(", ")}) values (${names.map(() => "?").join(", ")}) on conflict (id) do nothing`,
  );
  const { id, startedAt, recorderId } = sessions;
  const insertSession = db.$client.prepare(
    `insert into sessions (${id.name}, ${startedAt.name}, ${recorderId.name}) values (?, ?, 'raw') on conflict (id) do nothing`,
  );
  const rows = Array.from({ length: RECORDS }, (_, i) => {
    const values: Record<string, string | number> = {
      ...call(i),
      id: Bun.randomUUIDv7(),
      requestId: String(i),
    };
    return Object.keys(columns).map((field) => values[field] ?? null);
  });
  Bun.gc(true);
  const began = Bun.nanoseconds();
  for (let first = 0; first < RECORDS; first += BATCH_SIZE) {
    db.$client.run("begin immediate");
    insertSession.run(`session-${first >> 10}`, Date.now());
    insertSession.run(`session-${(first + BATCH_SIZE - 1) >> 10}`, Date.now());
    for (const row of rows.slice(first, first + BATCH_SIZE)) insertCall.run(...row);
    db.$client.run("commit");
  }
  return (Bun.nanoseconds() - began) / 1e9;
}
