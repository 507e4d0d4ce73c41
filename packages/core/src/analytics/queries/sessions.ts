import type { SessionKind } from "../vocabulary.ts";
import { type CallFilter, FAILED, fromSessions } from "./filter.ts";
import { type QuerySource, all } from "./source.ts";

/** A session with the counts of its calls. */
export interface SessionSummary {
  readonly id: string;
  readonly kind: SessionKind | null;
  /** Milliseconds since 1970 UTC. */
  readonly startedAt: number;
  /** Null while it is open. */
  readonly endedAt: number | null;
  readonly endReason: string | null;
  readonly clientName: string | null;
  readonly clientVersion: string | null;
  readonly serverName: string | null;
  readonly serverVersion: string | null;
  readonly protocolVersion: string | null;
  readonly transport: string | null;
  readonly calls: number;
  readonly failures: number;
  readonly outputTokens: number;
  readonly lastCallAt: number | null;
}

const COLUMNS = `session.id, session.kind, session.started_at_ms as startedAt, session.ended_at_ms as endedAt,
  session.end_reason as endReason, session.client_name as clientName, session.client_version as clientVersion,
  session.server_name as serverName, session.server_version as serverVersion,
  session.protocol_version as protocolVersion, session.transport,
  (select count(*) from tool_calls where session_id = session.id) as calls,
  (select count(*) from tool_calls where session_id = session.id and status in ${FAILED}) as failures,
  (select total(output_tokens) from tool_calls where session_id = session.id) as outputTokens,
  (select max(started_at_ms) from tool_calls where session_id = session.id) as lastCallAt`;

/** Returns the sessions that started in the period and have a matching call, latest first. */
export function latestSessions(
  source: QuerySource,
  filter: CallFilter,
  limit: number,
): SessionSummary[] {
  const from = fromSessions(filter);
  const sql = `select ${COLUMNS} ${from.sql} order by session.started_at_ms desc, session.id desc limit ?`;
  return all(source, sql, [...from.values, limit]);
}

/** Returns the session with this id; otherwise up to ten sessions whose id contains the text. */
export function findSessions(source: QuerySource, text: string): SessionSummary[] {
  const exact = all<SessionSummary>(
    source,
    `select ${COLUMNS} from sessions as session where session.id = ?`,
    [text],
  );
  if (exact.length > 0) return exact;
  const sql = `select ${COLUMNS} from sessions as session where instr(session.id, ?) > 0
    order by session.started_at_ms desc limit 10`;
  return all(source, sql, [text]);
}
