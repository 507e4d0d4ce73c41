import { CLIENT_NAME, type CallFilter, FAILED, SERVER_NAME, fromCalls } from "./filter.ts";
import { type QuerySource, all } from "./source.ts";

/** The calls of one version of a client to one server. */
export interface ClientUsage {
  readonly clientName: string | null;
  readonly clientVersion: string | null;
  readonly serverName: string | null;
  readonly protocolVersion: string | null;
  readonly sessions: number;
  readonly calls: number;
  readonly failures: number;
  readonly failureRate: number;
  readonly tools: number;
  readonly outputTokens: number;
  /** Milliseconds since 1970 UTC. */
  readonly lastCallAt: number;
}

/** Summarizes the matching calls per client version and server, most calls first. */
export function clients(source: QuerySource, filter: CallFilter): ClientUsage[] {
  const from = fromCalls(filter, true);
  const sql = `select ${CLIENT_NAME} as clientName, coalesce(call.client_version, session.client_version) as clientVersion,
      ${SERVER_NAME} as serverName, coalesce(call.protocol_version, session.protocol_version) as protocolVersion,
      count(distinct call.session_id) as sessions, count(*) as calls, sum(call.status in ${FAILED}) as failures,
      avg(call.status in ${FAILED}) as failureRate, count(distinct call.tool_name) as tools,
      total(call.output_tokens) as outputTokens, max(call.started_at_ms) as lastCallAt
    ${from.sql} group by 1, 2, 3, 4 order by calls desc, lastCallAt desc`;
  return all(source, sql, from.values);
}
