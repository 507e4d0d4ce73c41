import type { Database } from "bun:sqlite";
import { getTableColumns, getTableName } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import type { Rejection } from "./batcher.ts";
import { whileBusy } from "../file/busy.ts";
import { AnalyticsError, primaryResultCode, toAnalyticsError } from "../errors.ts";
import type { SeenDefinition, SessionEnd } from "../records/session.ts";
import { assertVersion } from "../file/migrations.ts";
import type { RecorderEnd, RecorderHealth, TelemetryRecord } from "../records/record.ts";
import type { SessionRow, SessionStart, ToolCallRow } from "../records/row.ts";
import {
  recorderHealth,
  sessionDefinitions,
  sessions,
  toolCalls,
  toolDefinitions,
} from "../schema.ts";
import { type Shape, conform, shapeOf } from "../records/shape.ts";

export type RecordRejection = Rejection<TelemetryRecord>;

/** Where batches go: the seam between the service and the database. */
export interface RecordWriter {
  /**
   * Stores a batch whole and in order, and returns the records that can never be stored. Throws or
   * rejects if it stored nothing; the batch then comes again.
   */
  write(
    batch: readonly TelemetryRecord[],
  ): readonly RecordRejection[] | Promise<readonly RecordRejection[]>;
}

/**
 * Longest wait for other processes' locks before a write counts as failed, in milliseconds. A write that
 * `shutdown()` leaves behind must end before a client's 2 s are over: 1,500 ms and this.
 */
export const BUSY_WAIT_MS = 300;

/** `sequence` is SQLite's to assign. */
const { sequence: _sequence, ...CALL_COLUMNS } = getTableColumns(toolCalls);
const { durationMs: _durationMs, ...OTHER_CALL_COLUMNS } = CALL_COLUMNS;
const DEFINITION_COLUMNS = getTableColumns(toolDefinitions);
const HEALTH_COLUMNS = getTableColumns(recorderHealth);
/** What is said of a call after its outcome. */
const DETAILS = [
  toolCalls.errorType,
  toolCalls.inputBytes,
  toolCalls.outputBytes,
  toolCalls.definitionHash,
].map(({ name }) => name);
/** A session begins open. */
const { endedAt: _endedAt, endReason: _endReason, ...SESSION_COLUMNS } = getTableColumns(sessions);
/** What a call tells of its session: all but the attributes, which are the call's own. */
const { attributes: _attributes, ...NOTED_COLUMNS } = SESSION_COLUMNS;
/** What a later start may still add; the first word stands. */
const FILLED_COLUMNS = Object.values(SESSION_COLUMNS)
  .map(({ name }) => name)
  .filter((name) => !["id", "started_at_ms", "recorder_id"].includes(name));

/** What the rows of each kind of record look like, by the columns that store them. */
const SHAPES = {
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
  // What an older recorder did not count, it counted zero times.
  recorder_health: shapeOf(HEALTH_COLUMNS, 0),
} satisfies Record<TelemetryRecord["kind"], Shape>;

/**
 * Writes batches through a connection: one batch, one transaction, prepared statements.
 *
 * Writing a batch twice stores it once: calls by their id, session events by what they say. A record that
 * cannot be stored for what it holds (a field of another type, a constraint) is rejected and the others are
 * committed; any other error undoes the whole batch.
 */
export class Writer implements RecordWriter {
  readonly #client: Database;
  readonly #path: string;
  readonly #recorderId: string;
  /** Prepared at the first write. */
  #statements: Statements | undefined;

  constructor(client: Database, path: string, recorderId: string) {
    this.#client = client;
    this.#path = path;
    this.#recorderId = recorderId;
  }

  /** Commits a batch; while another process holds the lock, tries again on a timer, for 300 ms. */
  async write(batch: readonly TelemetryRecord[]): Promise<readonly RecordRejection[]> {
    try {
      return await whileBusy(performance.now() + BUSY_WAIT_MS, () => this.commit(batch));
    } catch (error) {
      throw toAnalyticsError(error, this.#path);
    }
  }

  /** Commits a batch now, without waiting for locks. Throws SQLite's own error, the batch undone. */
  commit(batch: readonly TelemetryRecord[]): readonly RecordRejection[] {
    return this.commitCounted(batch).rejections;
  }

  /** The same, with the number of calls that were new: not in the file before, or there as abandoned only. */
  commitCounted(batch: readonly TelemetryRecord[]): {
    readonly rejections: readonly RecordRejection[];
    readonly newCalls: number;
  } {
    const client = this.#client;
    // IMMEDIATE: once it succeeds, no later statement of the transaction can meet SQLITE_BUSY.
    client.run("begin immediate");
    try {
      // Inside the transaction, where nobody can change it: a newer Toolmeter may have come meanwhile.
      assertVersion(client, this.#path);
      const statements = (this.#statements ??= prepareStatements(client));
      const outcome = this.#apply(batch, statements);
      client.run("commit");
      return outcome;
    } catch (error) {
      if (client.inTransaction) client.run("rollback");
      throw error;
    }
  }

  #apply(batch: readonly TelemetryRecord[], statements: Statements) {
    const rejections: RecordRejection[] = [];
    let newCalls = 0;
    /** The earliest start that this batch has noted for each session: most calls need no second note. */
    const noted = new Map<string, number>();
    for (const record of batch) {
      try {
        if (this.#applyRecord(record, statements, noted)) newCalls += 1;
      } catch (error) {
        // Without its transaction (a trigger may undo it) the rest of the batch would be stored row by row.
        if (!isRecordsFault(error) || !this.#client.inTransaction) throw error;
        rejections.push({ item: record, error: toAnalyticsError(error, this.#path) });
      }
    }
    return { rejections, newCalls };
  }

  /** Returns whether the record is a new call. */
  #applyRecord(
    record: TelemetryRecord,
    statements: Statements,
    noted: Map<string, number>,
  ): boolean {
    switch (record.kind) {
      case "tool_call": {
        const row = conform(record.row, SHAPES.tool_call);
        this.#noteSession(row, statements, noted);
        return statements.insertCall.run(row).changes > 0;
      }
      case "session_start":
        startSession(record.row, statements);
        break;
      case "tool_definition":
        statements.seeDefinition.run(conform(toDefinitionRow(record.row), SHAPES.tool_definition));
        break;
      case "session_end": {
        const row = conform(record.row, SHAPES.session_end);
        if (statements.endSession.run(row).changes === 0) throw unknownSession(row, this.#path);
        break;
      }
      case "recorder_end":
        statements.endRecorder.run(conform(record.row, SHAPES.recorder_end));
        break;
      case "recorder_health":
        statements.keepHealth.run(conform(record.row, SHAPES.recorder_health));
    }
    return false;
  }

  /** A call's session exists from now on, and did not begin after the call. */
  #noteSession(call: ToolCallRow, statements: Statements, noted: Map<string, number>): void {
    if (call.sessionId === null) return;
    const earliest = noted.get(call.sessionId);
    if (earliest !== undefined && earliest <= call.startedAt) return;
    statements.noteSession.run({
      id: call.sessionId,
      kind: null,
      recorderId: this.#recorderId,
      startedAt: call.startedAt,
      clientName: call.clientName,
      clientVersion: call.clientVersion,
      serverName: call.serverName,
      serverVersion: call.serverVersion,
      protocolVersion: call.protocolVersion,
      transport: call.transport,
    });
    noted.set(call.sessionId, call.startedAt);
  }
}

/**
 * Whether only this record is refused: by SQLite with SQLITE_TOOBIG, SQLITE_CONSTRAINT or SQLITE_MISMATCH, which undo
 * their own statement and leave the transaction whole, or by anything that is not SQLite.
 */
function isRecordsFault(error: unknown): boolean {
  const code = primaryResultCode(error);
  return code === undefined || [18, 19, 20].includes(code);
}

function unknownSession({ sessionId }: SessionEnd, path: string): AnalyticsError {
  return new AnalyticsError(
    "unknown_session",
    path,
    `Expected the end of a session that was started or had calls, got ${JSON.stringify(sessionId)}. Start it, or record a call in it, first.`,
  );
}

function startSession(
  { definitionHashes = [], ...start }: SessionStart,
  { beginSession, linkDefinition }: Statements,
): void {
  if (!isTexts(definitionHashes)) throw new TypeError("Expected `definitionHashes` to be texts");
  const session = conform(start, SHAPES.session_start);
  beginSession.run(session);
  for (const definitionHash of definitionHashes)
    linkDefinition.run({ sessionId: session.id, definitionHash });
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

type DefinitionRow = ReturnType<typeof toDefinitionRow>;

function toDefinitionRow({ seenAt, ...definition }: SeenDefinition) {
  return { ...definition, firstSeenAt: seenAt, lastSeenAt: seenAt };
}

type SessionDefinition = { readonly sessionId: string; readonly definitionHash: string };

type Statements = ReturnType<typeof prepareStatements>;

/** The few sentences this writer says to SQLite. Parameters are the names of the row's fields. */
function prepareStatements(client: Database) {
  const insertCall = client.prepare<unknown, [ToolCallRow]>(
    // A call in flight is abandoned until its end says otherwise. Its outcome may be journalled before its details.
    // A start that is written again has no duration yet: it must not replace the one that is stored.
    `${insertInto(toolCalls, CALL_COLUMNS)} on conflict (id) do update set ${fillAll(OTHER_CALL_COLUMNS)},
         duration_ms = iif(status = excluded.status, max(duration_ms, excluded.duration_ms), excluded.duration_ms)
       where status = 'abandoned' and excluded.status <> 'abandoned'
          or status = excluded.status and (${DETAILS.map((name) => `${name} is null and excluded.${name} is not null`).join(" or ")})`,
  );
  // A start may be written again after the end that followed it: by recovery, or by a worker that a dying
  // process outruns. Only one that was told after the end opens the session again.
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

/** Each column as the refused row has it; what that does not say stays. */
function fillAll(columns: Record<string, SQLiteColumn>): string {
  return Object.values(columns)
    .map(({ name }) => `${name} = coalesce(excluded.${name}, ${name})`)
    .join(", ");
}

/** Each column as the refused row has it. */
function setAll(columns: Record<string, SQLiteColumn>): string {
  return Object.values(columns)
    .map(({ name }) => `${name} = excluded.${name}`)
    .join(", ");
}

/** `insert into <table> (<columns>) values (<parameters>)`, from the schema alone. */
function insertInto(table: SQLiteTable, columns: Record<string, SQLiteColumn>): string {
  const names = Object.values(columns).map(({ name }) => name);
  const parameters = Object.keys(columns).map((field) => `$${field}`);
  return `insert into ${getTableName(table)} (${names.join(", ")}) values (${parameters.join(", ")})`;
}
