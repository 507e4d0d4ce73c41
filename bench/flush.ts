import { type AnalyticsDb, TelemetryService, sessions, toolCalls } from "@toolmeter/core";
import { getTableColumns } from "drizzle-orm";
import { median } from "./statistics.ts";
import { BATCH_SIZE, call, withDatabase } from "./workload.ts";

const RECORDS = 20_000;
const ROUNDS = 15;

/**
 * Records a second that reach the file: `flush()` of a full queue, and recording plus `flush()`, as a
 * share of raw `bun:sqlite` writing the same rows into the same table with the same statement.
 */
export async function flush(): Promise<void> {
  const ratios = { flush: [] as number[], "record + flush": [] as number[] };
  for (let round = 0; round <= ROUNDS; round++) {
    const raw = await withDatabase(async (db) => rawSeconds(db));
    const ours = await withDatabase(oursSeconds);
    // The first round warms up.
    if (round === 0) continue;
    ratios.flush.push(raw / ours.flush);
    ratios["record + flush"].push(raw / (ours.record + ours.flush));
  }
  for (const [name, samples] of Object.entries(ratios)) {
    const [low, high] = [Math.min(...samples), Math.max(...samples)];
    console.log(
      `  ${name}: ${median(samples).toFixed(2)} of raw bun:sqlite (${low.toFixed(2)} to ${high.toFixed(2)}, ${ROUNDS} rounds)`,
    );
  }
}

async function oursSeconds(db: AnalyticsDb): Promise<{ record: number; flush: number }> {
  await using telemetry = new TelemetryService(db, { maxQueueSize: RECORDS });
  const calls = Array.from({ length: RECORDS }, (_, i) => call(i));
  Bun.gc(true);
  const startedAt = Bun.nanoseconds();
  for (const metadata of calls) telemetry.recordToolCall(metadata);
  const recordedAt = Bun.nanoseconds();
  await telemetry.flush();
  const flushedAt = Bun.nanoseconds();
  if (telemetry.stats.written !== RECORDS) throw new Error("not every record was written");
  return { record: (recordedAt - startedAt) / 1e9, flush: (flushedAt - recordedAt) / 1e9 };
}

/** The least that anyone must do: bind the rows' values and insert them, 50 a transaction. */
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
