import { FAILED_STATUSES, type ToolCallStatus } from "../vocabulary.ts";
import { patternConditions } from "./pattern.ts";
import type { Binding, Statement } from "./source.ts";

/** Selects the calls of a query. Missing fields do not restrict. */
export interface CallFilter {
  /** Earliest start of a call, in milliseconds since 1970 UTC. */
  readonly since?: number | undefined;
  /** Calls must start before this time, in milliseconds since 1970 UTC. */
  readonly until?: number | undefined;
  /** Names or patterns (see `pattern.ts`), one of which must match. */
  readonly tools?: readonly string[] | undefined;
  /** Like `tools`, for the server name of the call, or of its session if the call has none. */
  readonly servers?: readonly string[] | undefined;
  /** Like `servers`, for the client name. */
  readonly clients?: readonly string[] | undefined;
  readonly sessionId?: string | undefined;
  readonly statuses?: readonly ToolCallStatus[] | undefined;
}

/** `FAILED_STATUSES` as an SQL list. */
export const FAILED = `(${FAILED_STATUSES.map((status) => `'${status}'`).join(", ")})`;

/** The client or server name of a call, or of its session if the call has none. */
export const CLIENT_NAME = "coalesce(call.client_name, session.client_name)";
export const SERVER_NAME = "coalesce(call.server_name, session.server_name)";

const JOIN = "left join sessions as session on session.id = call.session_id";

/**
 * Returns `from … where …` over the matching calls as `call`, joined with their sessions as `session` if `withSession`.
 */
export function fromCalls(filter: CallFilter, withSession = false): Statement {
  const conditions = [
    ...timeConditions("call.started_at_ms", filter),
    ...patternConditions("call.tool_name", filter.tools),
    ...patternConditions(CLIENT_NAME, filter.clients),
    ...patternConditions(SERVER_NAME, filter.servers),
    ...equals("call.session_id", filter.sessionId === undefined ? undefined : [filter.sessionId]),
    ...equals("call.status", filter.statuses),
  ];
  const isJoined = withSession || hasAny(filter.clients) || hasAny(filter.servers);
  return toStatement(`from tool_calls as call ${isJoined ? JOIN : ""}`, conditions);
}

/**
 * Returns `from … where …` over the sessions that started in the period and have a matching call.
 * @param join SQL that joins further tables to `session`; without parameters.
 */
export function fromSessions(filter: CallFilter, join = ""): Statement {
  const { since, until, tools, statuses, sessionId } = filter;
  const ofCalls = fromCalls({ tools, statuses });
  const narrows = hasAny(tools) || hasAny(statuses);
  return toStatement(`from sessions as session ${join}`, [
    ...timeConditions("session.started_at_ms", { since, until }),
    ...patternConditions("session.client_name", filter.clients),
    ...patternConditions("session.server_name", filter.servers),
    ...equals("session.id", sessionId === undefined ? undefined : [sessionId]),
    ...(narrows
      ? [
          {
            sql: `exists (select 1 ${ofCalls.sql} and call.session_id = session.id)`,
            values: ofCalls.values,
          },
        ]
      : []),
  ]);
}

function toStatement(from: string, conditions: readonly Statement[]): Statement {
  // Never empty, so that callers can append `and …`.
  const where = conditions.map(({ sql }) => sql).join(" and ") || "true";
  return { sql: `${from} where ${where}`, values: conditions.flatMap(({ values }) => values) };
}

function timeConditions(column: string, { since, until }: CallFilter): readonly Statement[] {
  return [
    ...(since === undefined ? [] : [{ sql: `${column} >= ?`, values: [since] }]),
    ...(until === undefined ? [] : [{ sql: `${column} < ?`, values: [until] }]),
  ];
}

function equals(column: string, values: readonly Binding[] | undefined): readonly Statement[] {
  if (!hasAny(values)) return [];
  return [{ sql: `${column} in (${values.map(() => "?").join(", ")})`, values }];
}

function hasAny<Item>(items: readonly Item[] | undefined): items is readonly Item[] {
  return items !== undefined && items.length > 0;
}
