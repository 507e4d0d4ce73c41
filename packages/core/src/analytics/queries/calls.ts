import type { ToolCallStatus } from "../vocabulary.ts";
import { CLIENT_NAME, type CallFilter, SERVER_NAME, fromCalls } from "./filter.ts";
import { type QuerySource, all, stream } from "./source.ts";

/** A call as shown in lists. A missing client or server name is taken from its session. */
export interface CallSummary {
  readonly sequence: number;
  readonly id: string;
  /** Milliseconds since 1970 UTC. */
  readonly startedAt: number;
  readonly toolName: string;
  readonly status: ToolCallStatus;
  readonly durationMs: number;
  readonly errorType: string | null;
  readonly errorCode: number | null;
  readonly errorMessage: string | null;
  readonly inputBytes: number | null;
  readonly outputBytes: number | null;
  readonly outputTokens: number | null;
  readonly sessionId: string | null;
  readonly clientName: string | null;
  readonly serverName: string | null;
}

const SUMMARY = `call.sequence, call.id, call.started_at_ms as startedAt, call.tool_name as toolName,
  call.status, call.duration_ms as durationMs, call.error_type as errorType, call.error_code as errorCode,
  call.error_message as errorMessage, call.input_bytes as inputBytes, call.output_bytes as outputBytes,
  call.output_tokens as outputTokens, call.session_id as sessionId,
  ${CLIENT_NAME} as clientName, ${SERVER_NAME} as serverName`;

/** The sort orders of lists of calls, largest first. */
export type CallOrder = "startedAt" | "durationMs" | "outputTokens" | "outputBytes" | "inputBytes";

const ORDERS: Record<CallOrder, string> = {
  startedAt: "call.started_at_ms",
  durationMs: "call.duration_ms",
  outputTokens: "call.output_tokens",
  outputBytes: "call.output_bytes",
  inputBytes: "call.input_bytes",
};

/** Returns the first calls in an order, such as the latest, the slowest or the largest. */
export function topCalls(
  source: QuerySource,
  filter: CallFilter,
  order: CallOrder,
  limit: number,
): CallSummary[] {
  const from = fromCalls(filter);
  // Select the rows first, then fetch them; otherwise SQLite sorts whole rows.
  const sql = `select ${SUMMARY} from tool_calls as call left join sessions as session on session.id = call.session_id
    where call.sequence in (select call.sequence ${from.sql} order by ${ORDERS[order]} desc limit ?)
    order by ${ORDERS[order]} desc, call.sequence desc`;
  return all(source, sql, [...from.values, limit]);
}

/** Returns the calls with a larger sequence number, in that order. */
export function callsAfter(
  source: QuerySource,
  filter: CallFilter,
  sequence: number,
  limit: number,
): CallSummary[] {
  const from = fromCalls(filter, true);
  const sql = `select ${SUMMARY} ${from.sql} and call.sequence > ? order by call.sequence limit ?`;
  return all(source, sql, [...from.values, sequence, limit]);
}

/** Returns the calls of a session in the order in which they started. */
export function sessionCalls(source: QuerySource, sessionId: string, limit: number): CallSummary[] {
  const from = fromCalls({ sessionId }, true);
  const sql = `select ${SUMMARY} ${from.sql} order by call.started_at_ms, call.sequence limit ?`;
  return all(source, sql, [...from.values, limit]);
}

/**
 * A whole call, by column name. Missing client and server fields are taken from its session. JSON columns are strings.
 */
export interface CallRecord {
  readonly sequence: number;
  readonly id: string;
  readonly tool_name: string;
  readonly session_id: string | null;
  readonly started_at_ms: number;
  readonly duration_ms: number;
  readonly status: ToolCallStatus;
  readonly error_type: string | null;
  readonly error_code: number | null;
  readonly error_message: string | null;
  readonly input_bytes: number | null;
  readonly output_bytes: number | null;
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly token_method: string | null;
  readonly output_content_types: string | null;
  readonly cache_hit: number | null;
  readonly argument_hash: string | null;
  readonly argument_shape_hash: string | null;
  readonly definition_hash: string | null;
  readonly continued_from: string | null;
  readonly request_id: string | null;
  readonly trace_id: string | null;
  readonly parent_span_id: string | null;
  readonly client_name: string | null;
  readonly client_version: string | null;
  readonly server_name: string | null;
  readonly server_version: string | null;
  readonly protocol_version: string | null;
  readonly transport: string | null;
  readonly arguments: string | null;
  readonly result: string | null;
  readonly attributes: string | null;
}

const PARTIES = [
  "client_name",
  "client_version",
  "server_name",
  "server_version",
  "protocol_version",
  "transport",
] as const satisfies readonly (keyof CallRecord)[];

const OWN = [
  "sequence",
  "id",
  "tool_name",
  "session_id",
  "started_at_ms",
  "duration_ms",
  "status",
  "error_type",
  "error_code",
  "error_message",
  "input_bytes",
  "output_bytes",
  "input_tokens",
  "output_tokens",
  "token_method",
  "output_content_types",
  "cache_hit",
  "argument_hash",
  "argument_shape_hash",
  "definition_hash",
  "continued_from",
  "request_id",
  "trace_id",
  "parent_span_id",
] as const satisfies readonly (keyof CallRecord)[];

const PAYLOADS = [
  "arguments",
  "result",
  "attributes",
] as const satisfies readonly (keyof CallRecord)[];

/** The columns of a `CallRecord`, in order. */
export const CALL_RECORD_COLUMNS = [...OWN, ...PARTIES, ...PAYLOADS] as const;

/** Yields all matching calls as whole records, in the order of their sequence numbers. */
export function streamCalls(source: QuerySource, filter: CallFilter): Iterable<CallRecord> {
  const from = fromCalls(filter, true);
  const columns = [
    ...OWN.map((name) => `call.${name}`),
    ...PARTIES.map((name) => `coalesce(call.${name}, session.${name}) as ${name}`),
    ...PAYLOADS.map((name) => `call.${name}`),
  ];
  return stream(
    source,
    `select ${columns.join(", ")} ${from.sql} order by call.sequence`,
    from.values,
  );
}

/** Counts the matching calls. */
export function countCalls(source: QuerySource, filter: CallFilter): number {
  const from = fromCalls(filter);
  return (
    all<{ count: number }>(source, `select count(*) as count ${from.sql}`, from.values)[0]?.count ??
    0
  );
}
