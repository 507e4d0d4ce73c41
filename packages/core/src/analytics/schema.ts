/**
 * Tables, indexes, views and row types of the analytics database.
 *
 * The column names are the public interface of the file: full words, snake_case, units in the name. Times are
 * wall-clock milliseconds since 1970-01-01 UTC; durations are fractional milliseconds of the caller's monotonic clock.
 * The indexes were chosen with `bench/indexes.ts`.
 */
import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  sqliteView,
  text,
} from "drizzle-orm/sqlite-core";
import {
  type ContentType,
  FAILED_STATUSES,
  SESSION_KINDS,
  TOOL_CALL_STATUSES,
} from "./vocabulary.ts";

const failed = sql.raw(`status in (${FAILED_STATUSES.map((status) => `'${status}'`).join(", ")})`);

/** Client, server, protocol and transport: the same columns for sessions and calls. */
const parties = () => ({
  clientName: text("client_name"),
  clientVersion: text("client_version"),
  serverName: text("server_name"),
  serverVersion: text("server_version"),
  protocolVersion: text("protocol_version"),
  transport: text("transport"),
});

/** A connection or conversation that groups tool calls. `sessionSummaries` derives its counts. */
export const sessions = sqliteTable(
  "sessions",
  {
    id: text("id").primaryKey(),
    kind: text("kind", { enum: SESSION_KINDS }),
    startedAt: integer("started_at_ms").notNull(),
    endedAt: integer("ended_at_ms"),
    endReason: text("end_reason"),
    /** The `TelemetryService` that opened the session last; its shutdown ends only its own sessions. */
    recorderId: text("recorder_id").notNull(),
    ...parties(),
    attributes: text("attributes", { mode: "json" }).$type<Record<string, unknown>>(),
  },
  (table) => [
    index("sessions_by_start").on(table.startedAt),
    index("sessions_open")
      .on(table.recorderId)
      .where(sql`${table.endedAt} is null`),
  ],
);

/** One tool call, with the outcome that its client saw. */
export const toolCalls = sqliteTable(
  "tool_calls",
  {
    /** The order in which calls were written to this file: a stable cursor for tailing and export. */
    sequence: integer("sequence").primaryKey({ autoIncrement: true }),
    /** UUID version 7 with the time of recording (RFC 9562 §5.7): globally unique, so that files can be merged. */
    id: text("id").notNull().unique(),
    toolName: text("tool_name").notNull(),
    sessionId: text("session_id").references(() => sessions.id),
    startedAt: integer("started_at_ms").notNull(),
    durationMs: real("duration_ms").notNull(),
    status: text("status", { enum: TOOL_CALL_STATUSES }).notNull(),
    errorType: text("error_type"),
    /** The JSON-RPC error code, if any. */
    errorCode: integer("error_code"),
    errorMessage: text("error_message"),
    inputBytes: integer("input_bytes"),
    outputBytes: integer("output_bytes"),
    inputTokens: integer("input_tokens"),
    outputTokens: integer("output_tokens"),
    /** How the tokens were counted or estimated, such as `characters/4`. */
    tokenMethod: text("token_method"),
    /** Number of content blocks per type in the result. */
    outputContentTypes: text("output_content_types", { mode: "json" }).$type<
      Partial<Record<ContentType, number>>
    >(),
    cacheHit: integer("cache_hit", { mode: "boolean" }),
    /** Equal for equal arguments, among the calls that one process recorded. */
    argumentHash: text("argument_hash"),
    /** Equal for arguments with the same keys and types. */
    argumentShapeHash: text("argument_shape_hash"),
    /** The definition of the tool that was listed last before the call: `tool_definitions.hash`. */
    definitionHash: text("definition_hash"),
    /** The `id` of the call with status `input_required` whose request this call answers. */
    continuedFrom: text("continued_from"),
    /** The JSON-RPC request id as text; unique only within a connection. */
    requestId: text("request_id"),
    /** W3C Trace Context trace id and the caller's span id. */
    traceId: text("trace_id"),
    parentSpanId: text("parent_span_id"),
    ...parties(),
    arguments: text("arguments", { mode: "json" }),
    result: text("result", { mode: "json" }),
    attributes: text("attributes", { mode: "json" }).$type<Record<string, unknown>>(),
  },
  (table) => [
    // Time first, because it only grows at one end. Tool first would read faster over all time, but write 3 × slower.
    // Contains every column of the default report, which therefore reads only the index.
    index("tool_calls_by_time").on(
      table.startedAt,
      table.toolName,
      table.durationMs,
      table.status,
      table.outputTokens,
    ),
    index("tool_calls_by_session").on(table.sessionId, table.startedAt, table.status),
  ],
);

/** The tool definitions that clients receive, each distinct one stored once. */
export const toolDefinitions = sqliteTable("tool_definitions", {
  /** Hash of name, description and schemas; any edit results in another definition. */
  hash: text("hash").primaryKey(),
  toolName: text("tool_name").notNull(),
  definition: text("definition", { mode: "json" }).notNull(),
  /** Size of the definition as JSON in UTF-8. */
  bytes: integer("bytes").notNull(),
  /** Tokens of the model's context that the definition uses. */
  tokens: integer("tokens").notNull(),
  tokenMethod: text("token_method").notNull(),
  firstSeenAt: integer("first_seen_at_ms").notNull(),
  lastSeenAt: integer("last_seen_at_ms").notNull(),
});

/** The definitions that a session's client received. */
export const sessionDefinitions = sqliteTable(
  "session_definitions",
  {
    sessionId: text("session_id")
      .notNull()
      .references(() => sessions.id),
    definitionHash: text("definition_hash").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.sessionId, table.definitionHash] }),
    index("session_definitions_by_definition").on(table.definitionHash),
  ],
);

/**
 * The costs and losses of recording per recorder and hour, for later analysis. Counts cover that hour;
 * `hour_started_at_ms` is a full hour in UTC.
 */
export const recorderHealth = sqliteTable(
  "recorder_health",
  {
    recorderId: text("recorder_id").notNull(),
    hourStartedAt: integer("hour_started_at_ms").notNull(),
    processId: integer("process_id").notNull(),
    accepted: integer("accepted").notNull(),
    written: integer("written").notNull(),
    droppedInvalid: integer("dropped_invalid").notNull(),
    droppedQueueFull: integer("dropped_queue_full").notNull(),
    droppedUnwritable: integer("dropped_unwritable").notNull(),
    droppedUnknownSession: integer("dropped_unknown_session").notNull(),
    droppedShutDown: integer("dropped_shut_down").notNull(),
    failedFlushes: integer("failed_flushes").notNull(),
    retries: integer("retries").notNull(),
    /** Records that were only in memory while they waited. */
    unjournaled: integer("unjournaled").notNull(),
    /** Records imported from the journals of dead processes. */
    recovered: integer("recovered").notNull(),
    /** Time spent in `recordToolCall` and `end()`, which is the cost for the observed tool. */
    recordingMs: real("recording_ms").notNull(),
    queuePeak: integer("queue_peak").notNull(),
    commitP50Ms: real("commit_p50_ms"),
    commitP99Ms: real("commit_p99_ms"),
    commitMaxMs: real("commit_max_ms"),
    lockWaitMaxMs: real("lock_wait_max_ms"),
    walBytes: integer("wal_bytes"),
    journalBytes: integer("journal_bytes").notNull(),
    lastError: text("last_error"),
    lastErrorAt: integer("last_error_at_ms"),
  },
  (table) => [primaryKey({ columns: [table.recorderId, table.hourStartedAt] })],
);

/** `v_tool_daily`: one row per UTC day and tool. */
export const toolDaily = sqliteView("v_tool_daily", {
  day: text("day").notNull(),
  toolName: text("tool_name").notNull(),
  calls: integer("calls").notNull(),
  failures: integer("failures").notNull(),
  failureRate: real("failure_rate").notNull(),
  meanDurationMs: real("mean_duration_ms").notNull(),
  maxDurationMs: real("max_duration_ms").notNull(),
}).as(sql`
  select date(started_at_ms / 1000, 'unixepoch') as day,
         tool_name,
         count(*) as calls,
         sum(${failed}) as failures,
         round(avg(${failed}), 4) as failure_rate,
         round(avg(duration_ms), 3) as mean_duration_ms,
         round(max(duration_ms), 3) as max_duration_ms
  from tool_calls
  group by day, tool_name`);

/** `v_sessions`: each session with the counts of its calls. `duration_ms` is null while the session is open. */
export const sessionSummaries = sqliteView("v_sessions", {
  id: text("id").notNull(),
  kind: text("kind", { enum: SESSION_KINDS }),
  startedAt: integer("started_at_ms").notNull(),
  endedAt: integer("ended_at_ms"),
  durationMs: integer("duration_ms"),
  endReason: text("end_reason"),
  clientName: text("client_name"),
  clientVersion: text("client_version"),
  serverName: text("server_name"),
  serverVersion: text("server_version"),
  protocolVersion: text("protocol_version"),
  transport: text("transport"),
  calls: integer("calls").notNull(),
  failures: integer("failures").notNull(),
  lastCallAt: integer("last_call_at_ms"),
}).as(sql`
  select id, kind, started_at_ms, ended_at_ms, ended_at_ms - started_at_ms as duration_ms, end_reason,
         client_name, client_version, server_name, server_version, protocol_version, transport,
         (select count(*) from tool_calls where session_id = sessions.id) as calls,
         (select count(*) from tool_calls where session_id = sessions.id and ${failed}) as failures,
         (select max(started_at_ms) from tool_calls where session_id = sessions.id) as last_call_at_ms
  from sessions`);

/**
 * `v_errors`: the failed calls, with an ISO 8601 time for readers. A missing client or server name is taken from the
 * session.
 */
export const failedCalls = sqliteView("v_errors", {
  sequence: integer("sequence").notNull(),
  id: text("id").notNull(),
  startedAtUtc: text("started_at_utc").notNull(),
  startedAt: integer("started_at_ms").notNull(),
  toolName: text("tool_name").notNull(),
  status: text("status", { enum: FAILED_STATUSES }).notNull(),
  errorType: text("error_type"),
  errorCode: integer("error_code"),
  errorMessage: text("error_message"),
  durationMs: real("duration_ms").notNull(),
  requestId: text("request_id"),
  sessionId: text("session_id"),
  clientName: text("client_name"),
  serverName: text("server_name"),
}).as(sql`
  select sequence, call.id,
         strftime('%Y-%m-%dT%H:%M:%fZ', call.started_at_ms / 1000.0, 'unixepoch') as started_at_utc,
         call.started_at_ms, tool_name, status, error_type, error_code, error_message, duration_ms,
         request_id, session_id, coalesce(call.client_name, session.client_name) as client_name,
         coalesce(call.server_name, session.server_name) as server_name
  from tool_calls as call left join sessions as session on session.id = call.session_id
  where ${failed}`);

export type ToolCall = typeof toolCalls.$inferSelect;
export type NewToolCall = typeof toolCalls.$inferInsert;
export type Session = typeof sessions.$inferSelect;
export type RecorderHealth = typeof recorderHealth.$inferSelect;
export type NewSession = typeof sessions.$inferInsert;
