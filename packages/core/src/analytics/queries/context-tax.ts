import { type CallFilter, SERVER_NAME, fromCalls, fromSessions } from "./filter.ts";
import { matchesPatterns } from "./pattern.ts";
import { type QuerySource, all } from "./source.ts";

/** The context tokens that a tool's definition used, and how often the tool was called. */
export interface ContextTax {
  readonly toolName: string;
  readonly serverName: string | null;
  /** Tokens of the latest definition. */
  readonly definitionTokens: number;
  /** Sessions whose client received the definition. */
  readonly sessions: number;
  /** Tokens of the definition, summed over those sessions. */
  readonly carriedTokens: number;
  readonly calls: number;
  /** Sessions that called the tool. */
  readonly callingSessions: number;
  /** Tokens carried by sessions that never called the tool: deleting it would have saved them. */
  readonly unusedTokens: number;
  /** Milliseconds since 1970 UTC; null without calls in the period. */
  readonly lastCallAt: number | null;
}

/** Joins the definitions that a session's client received. */
const DEFINITIONS = `join session_definitions as link on link.session_id = session.id
    join tool_definitions as definition on definition.hash = link.definition_hash`;

/** Lists tools by the tokens that their definitions take in sessions that never call them, most tokens first. */
export function contextTax(source: QuerySource, filter: CallFilter): ContextTax[] {
  const { tools, statuses: _statuses, ...ofSession } = filter;
  const sessions = fromSessions(ofSession, DEFINITIONS);
  const calls = fromCalls(filter, true);
  const sql = `with carried as (
      select definition.tool_name, session.server_name, count(*) as sessions, total(definition.tokens) as tokens,
        max(definition.last_seen_at_ms), definition.tokens as latest
      ${sessions.sql}
      group by 1, 2),
    used as (
      select call.tool_name, ${SERVER_NAME} as server_name, count(*) as calls,
        count(distinct call.session_id) as sessions, max(call.started_at_ms) as last_call_at
      ${calls.sql} group by 1, 2)
    select carried.tool_name as toolName, carried.server_name as serverName, latest as definitionTokens,
      carried.sessions, carried.tokens as carriedTokens, coalesce(used.calls, 0) as calls,
      min(carried.sessions, coalesce(used.sessions, 0)) as callingSessions,
      cast(round(carried.tokens * (1 - 1.0 * min(carried.sessions, coalesce(used.sessions, 0)) / carried.sessions))
        as integer) as unusedTokens,
      last_call_at as lastCallAt
    from carried left join used on used.tool_name = carried.tool_name and used.server_name is carried.server_name
    order by unusedTokens desc, carriedTokens desc, toolName`;
  return all<ContextTax>(source, sql, [...sessions.values, ...calls.values]).filter(
    ({ toolName }) => matchesPatterns(toolName, tools),
  );
}
