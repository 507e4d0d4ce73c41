import type { Database } from "bun:sqlite";
import { getTableColumns, getTableName } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import type { RecorderEnd, RecorderHealth, TelemetryRecord } from "../records/record.ts";
import type { SessionRow, SessionStart, ToolCallRow } from "../records/row.ts";
import type { SeenDefinition, SessionEnd } from "../records/session.ts";
import { type Shape, shapeOf } from "../records/shape.ts";
import {
  recorderHealth,
  sessionDefinitions,
  sessions,
  toolCalls,
  toolDefinitions,
} from "../schema.ts";

/** SQLite assigns `sequence`. */
const { sequence: _sequence, ...CALL_COLUMNS } = getTableColumns(toolCalls);
const { durationMs: _durationMs, ...OTHER_CALL_COLUMNS } = CALL_COLUMNS;
const DEFINITION_COLUMNS = getTableColumns(toolDefinitions);
const HEALTH_COLUMNS = getTableColumns(recorderHealth);
/** Columns that are filled after the outcome of a call. */
const DETAILS = [
  toolCalls.errorType,
  toolCalls.inputBytes,
  toolCalls.outputBytes,
  toolCalls.definitionHash,
].map(({ name }) => name);
/** A session has no end when it starts. */
const { endedAt: _endedAt, endReason: _endReason, ...SESSION_COLUMNS } = getTableColumns(sessions);
/** The session columns that a call fills: all but `attributes`, which belong to the call itself. */
const { attributes: _attributes, ...NOTED_COLUMNS } = SESSION_COLUMNS;
/** Columns that a later start may fill; existing values win. */
const FILLED_COLUMNS = Object.values(SESSION_COLUMNS)
  .map(({ name }) => name)
  .filter((name) => !["id", "started_at_ms", "recorder_id"].includes(name));

/** The shape of each kind of record, derived from the columns that store it. */
export const SHAPES = {
  tool_call: shapeOf(CALL_COLUMNS),
  session_start: shapeOf({ ...SESSION_COLUMNS, recordedAt: sessions.startedAt }),
  session_end: shapeOf({
    sessionId: sessions.id,
    endedAt: sessions.startedAt,
    reason: sessions.endReason,
  }),
  tool_definition: shapeOf(DEFINITION_COLUMNS),
  recorder_end: shapeOf({
    recorderId: sessions.recorderId,
    endedAt: sessions.endedAt,
    reason: sessions.endReason,
  }),
  // Counters that an older recorder does not have are zero.
  recorder_health: shapeOf(HEALTH_COLUMNS, 0),
} satisfies Record<TelemetryRecord["kind"], Shape>;

export function toDefinitionRow({ seenAt, ...definition }: SeenDefinition) {
  return { ...definition, firstSeenAt: seenAt, lastSeenAt: seenAt };
}

type DefinitionRow = ReturnType<typeof toDefinitionRow>;

type SessionDefinition = { readonly sessionId: string; readonly definitionHash: string };

export type Statements = ReturnType<typeof prepareStatements>;

/** Prepares one statement per kind of record. Parameters are named after the fields of the row. */
export function prepareStatements(client: Database) {
  const insertCall = client.prepare<unknown, [ToolCallRow]>(
    // A call in flight is stored as abandoned until it ends. Its outcome may be journalled before its details.
    // A start that is written again has no duration yet and must not replace the stored one.
    `${insertInto(toolCalls, CALL_COLUMNS)} on conflict (id) do update set ${fillAll(OTHER_CALL_COLUMNS)},
         duration_ms = iif(status = excluded.status, max(duration_ms, excluded.duration_ms), excluded.duration_ms)
       where status = 'abandoned' and excluded.status <> 'abandoned'
          or status = excluded.status and (${DETAILS.map((name) => `${name} is null and excluded.${name} is not null`).join(" or ")})`,
  );
  // A start may be written again after the session's end: by recovery, or by a worker that is slower than the process
  // that ends. Only a start that was recorded after the end reopens the session.
  const beginSession = client.prepare<unknown, [Omit<SessionStart, "definitionHashes">]>(
    `${insertInto(sessions, SESSION_COLUMNS)} on conflict (id) do update set
       started_at_ms = min(started_at_ms, excluded.started_at_ms), recorder_id = excluded.recorder_id,
       end_reason = iif($recordedAt > ended_at_ms, null, end_reason),
       ended_at_ms = iif($recordedAt > ended_at_ms, null, ended_at_ms),
       ${FILLED_COLUMNS.map((name) => `${name} = coalesce(${name}, excluded.${name})`).join(", ")}`,
  );
  const noteSession = client.prepare<unknown, [Omit<SessionRow, "attributes">]>(
    `${insertInto(sessions, NOTED_COLUMNS)} on conflict (id) do update set
       started_at_ms = excluded.started_at_ms where excluded.started_at_ms < started_at_ms`,
  );
  const linkDefinition = client.prepare<unknown, [SessionDefinition]>(
    `${insertInto(sessionDefinitions, getTableColumns(sessionDefinitions))} on conflict do nothing`,
  );
  const seeDefinition = client.prepare<unknown, [DefinitionRow]>(
    `${insertInto(toolDefinitions, DEFINITION_COLUMNS)} on conflict (hash) do update set first_seen_at_ms = min(first_seen_at_ms, excluded.first_seen_at_ms),
       last_seen_at_ms = max(last_seen_at_ms, excluded.last_seen_at_ms)`,
  );
  const endSession = client.prepare<unknown, [SessionEnd]>(
    `update sessions set
       ended_at_ms = coalesce(ended_at_ms, max(started_at_ms, $endedAt)),
       end_reason = iif(ended_at_ms is null, $reason, end_reason)
     where id = $sessionId`,
  );
  const endRecorder = client.prepare<unknown, [RecorderEnd]>(
    `update sessions set end_reason = $reason, ended_at_ms = max(started_at_ms, coalesce($endedAt,
         (select round(max(started_at_ms + duration_ms)) from tool_calls where session_id = sessions.id), 0))
     where recorder_id = $recorderId and ended_at_ms is null`,
  );
  const keepHealth = client.prepare<unknown, [RecorderHealth]>(
    `${insertInto(recorderHealth, HEALTH_COLUMNS)} on conflict (recorder_id, hour_started_at_ms) do update set
       ${setAll(HEALTH_COLUMNS)}`,
  );
  return {
    insertCall,
    beginSession,
    noteSession,
    linkDefinition,
    seeDefinition,
    endSession,
    endRecorder,
    keepHealth,
  };
}

/** `column = coalesce(excluded.column, column)` for each column: new values win, nulls change nothing. */
function fillAll(columns: Record<string, SQLiteColumn>): string {
  return Object.values(columns)
    .map(({ name }) => `${name} = coalesce(excluded.${name}, ${name})`)
    .join(", ");
}

/** `column = excluded.column` for each column. */
function setAll(columns: Record<string, SQLiteColumn>): string {
  return Object.values(columns)
    .map(({ name }) => `${name} = excluded.${name}`)
    .join(", ");
}

/** `insert into <table> (<columns>) values (<parameters>)`, derived from the schema. */
function insertInto(table: SQLiteTable, columns: Record<string, SQLiteColumn>): string {
  const names = Object.values(columns).map(({ name }) => name);
  const parameters = Object.keys(columns).map((field) => `$${field}`);
  return `insert into ${getTableName(table)} (${names.join(", ")}) values (${parameters.join(", ")})`;
}
