import type { ToolCallStatus } from "../vocabulary.ts";
import { type CallFilter, FAILED, fromCalls } from "./filter.ts";
import { type QuerySource, all } from "./source.ts";

/** Failures of one tool that are of one kind. */
export interface ErrorClass {
  readonly toolName: string;
  readonly status: ToolCallStatus;
  readonly errorType: string | null;
  readonly errorCode: number | null;
  readonly failures: number;
  readonly sessions: number;
  /** Milliseconds since 1970 UTC. */
  readonly lastAt: number;
  /** Of the last one. */
  readonly lastMessage: string | null;
  readonly lastSessionId: string | null;
}

/** What goes wrong, by tool and kind of error, most frequent first. */
export function errorClasses(source: QuerySource, filter: CallFilter): ErrorClass[] {
  const from = fromCalls(filter);
  // Beside max(), bare columns are those of the row that has it: https://sqlite.org/lang_select.html#bareagg
  const sql = `select call.tool_name as toolName, call.status, call.error_type as errorType,
      call.error_code as errorCode, count(*) as failures, count(distinct call.session_id) as sessions,
      max(call.started_at_ms) as lastAt, call.error_message as lastMessage, call.session_id as lastSessionId
    ${from.sql} and call.status in ${FAILED}
    group by call.tool_name, call.status, call.error_type, call.error_code
    order by failures desc, lastAt desc`;
  return all(source, sql, from.values);
}
