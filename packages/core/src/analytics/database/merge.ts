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

/** Number of rows that a merge added. */
export interface MergeResult {
  readonly toolCalls: number;
  readonly sessions: number;
  readonly toolDefinitions: number;
}

/** Rows per transaction; other writers get their turn in between. */
const SLICE_ROWS = 2_000;

interface Merged {
  readonly table: SQLiteTable;
  /** How the other file's row updates an existing row. No known value is overwritten by null. */
  readonly onConflict: string;
}

/** In this order, because a call refers to its session. */
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
    // Completes a call that was in flight when one of the files was copied.
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
 * Imports everything from another analytics database. Ids are globally unique, so each call is stored once, even if a
 * file is merged twice or two files share calls. The other file is only read.
 * @throws AnalyticsError like `openAnalyticsReader`; rows that were imported before the error stay.
 */
export async function mergeAnalyticsDb(db: AnalyticsDb, path: string): Promise<MergeResult> {
  // Opening imports the journals of dead processes, migrates the file, and refuses files of other programs.
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

/** Returns the number of added rows. */
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
  // New rows get the largest rowids. Inside the transaction, no other process adds rows.
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
