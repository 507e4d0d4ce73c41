import { getTableColumns, getTableName } from "drizzle-orm";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { COMMAND_WAIT_MS, whileBusySync } from "../file/busy.ts";
import type { AnalyticsDb } from "./database.ts";
import { toAnalyticsError } from "../errors.ts";
import { openAnalyticsReader } from "./reader.ts";
import {
  recorderHealth,
  sessionDefinitions,
  sessions,
  toolCalls,
  toolDefinitions,
} from "../schema.ts";

/** What a merge added. */
export interface MergeResult {
  readonly toolCalls: number;
  readonly sessions: number;
  readonly toolDefinitions: number;
}

/** Rows a transaction: others write in between. */
const SLICE_ROWS = 2_000;

interface Merged {
  readonly table: SQLiteTable;
  /** What a row that is here already learns from the other's: nothing makes it forget. */
  readonly onConflict: string;
}

/** In this order: a call refers to its session. */
const TABLES: readonly Merged[] = [
  {
    table: sessions,
    onConflict: `(id) do update set started_at_ms = min(started_at_ms, excluded.started_at_ms),
      end_reason = iif(ended_at_ms is null, excluded.end_reason, end_reason),
      ended_at_ms = coalesce(ended_at_ms, excluded.ended_at_ms)`,
  },
  {
    table: toolDefinitions,
    onConflict: `(hash) do update set first_seen_at_ms = min(first_seen_at_ms, excluded.first_seen_at_ms),
      last_seen_at_ms = max(last_seen_at_ms, excluded.last_seen_at_ms)`,
  },
  { table: sessionDefinitions, onConflict: "do nothing" },
  {
    table: toolCalls,
    // A call that was in flight when the other file was copied.
    onConflict: `(id) do update set ${setAll(toolCalls, ["sequence", "id"])}
      where status = 'abandoned' and excluded.status <> 'abandoned'`,
  },
  {
    table: recorderHealth,
    onConflict: `(recorder_id, hour_started_at_ms) do update set ${setAll(recorderHealth, [])}
      where excluded.accepted > accepted`,
  },
];

/**
 * Takes in everything that another analytics database holds. Ids are unique everywhere, so that to merge a file twice,
 * or two files that share calls, stores each call once. The other file is only read.
 * @throws AnalyticsError as `openAnalyticsReader`; what was taken in before stays.
 */
export async function mergeAnalyticsDb(db: AnalyticsDb, path: string): Promise<MergeResult> {
  // Takes in the journals of dead processes, migrates, and refuses what is no database of ours.
  const source = await openAnalyticsReader(path);
  source.close();
  const client = db.$client;
  try {
    client.run("attach database ? as source", [source.path]);
    try {
      const added = new Map(TABLES.map((merged) => [merged.table, mergeTable(db, merged)]));
      const count = (table: SQLiteTable) => added.get(table) ?? 0;
      return {
        toolCalls: count(toolCalls),
        sessions: count(sessions),
        toolDefinitions: count(toolDefinitions),
      };
    } finally {
      client.run("detach database source");
    }
  } catch (error) {
    throw toAnalyticsError(error, db.path);
  }
}

/** Returns how many rows are new here. */
function mergeTable({ $client: client }: AnalyticsDb, { table, onConflict }: Merged): number {
  const name = getTableName(table);
  const columns = columnsOf(table, ["sequence"]).join(", ");
  const one = (sql: string, ...values: number[]) =>
    Number(client.query(sql).values(...values)[0]?.[0] ?? 0);
  const last = one(`select max(rowid) from source.${name}`);
  const insert = client.prepare<unknown, [number, number]>(
    `insert into main.${name} (${columns}) select ${columns} from source.${name}
       where rowid > ? and rowid <= ? order by rowid on conflict ${onConflict}`,
  );
  // A new row is put after all others. Inside the transaction nobody else adds one.
  const mergeSlice = client.transaction((first: number) => {
    const newest = one(`select max(rowid) from main.${name}`);
    insert.run(first, first + SLICE_ROWS);
    return one(`select count(*) from main.${name} where rowid > ?`, newest);
  });
  let added = 0;
  for (let first = 0; first < last; first += SLICE_ROWS) {
    added += whileBusySync(performance.now() + COMMAND_WAIT_MS, () => mergeSlice.immediate(first));
  }
  insert.finalize();
  return added;
}

function columnsOf(table: SQLiteTable, without: readonly string[]): readonly string[] {
  return Object.values(getTableColumns(table))
    .map(({ name }) => name)
    .filter((name) => !without.includes(name));
}

function setAll(table: SQLiteTable, without: readonly string[]): string {
  return columnsOf(table, without)
    .map((name) => `${name} = excluded.${name}`)
    .join(", ");
}
