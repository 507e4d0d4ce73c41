import type { ToolCallStatus } from "../vocabulary.ts";
import { type CallFilter, FAILED, fromCalls } from "./filter.ts";
import { type QuerySource, all } from "./source.ts";

/** The failures of one tool with the same status, error type and error code. */
export interface ErrorClass {
  readonly toolName: string;
  readonly status: ToolCallStatus;
  readonly errorType: string | null;
  readonly errorCode: number | null;
  readonly failures: number;
  readonly sessions: number;
  /** Milliseconds since 1970 UTC. */
  readonly lastAt: number;
  /** Message of the last failure. */
  readonly lastMessage: string | null;
  readonly lastSessionId: string | null;
}

/** Groups failures by tool, status, error type and error code, most frequent first. */
export function errorClasses(source: QuerySource, filter: CallFilter): ErrorClass[] {
  const from = fromCalls(filter);
  // With max(), bare columns come from the row with the maximum: https://sqlite.org/lang_select.html#bareagg
  const sql = `select call.tool_name as toolName, call.status, call.error_type as errorType,
      call.error_code as errorCode, count(*) as failures, count(distinct call.session_id) as sessions,
      max(call.started_at_ms) as lastAt, call.error_message as lastMessage, call.session_id as lastSessionId
    ${from.sql} and call.status in ${FAILED}
    group by call.tool_name, call.status, call.error_type, call.error_code
    order by failures desc, lastAt desc`;
  return all(source, sql, from.values);
}
