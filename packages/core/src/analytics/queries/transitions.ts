import { type CallFilter, FAILED, fromCalls } from "./filter.ts";
import { matchesPatterns } from "./pattern.ts";
import { type QuerySource, all } from "./source.ts";

/** A pair of tools that were called one directly after the other in the same session. */
export interface Transition {
  readonly from: string;
  readonly to: string;
  readonly count: number;
  /** `count` as a share of all calls that followed `from`, from 0 to 1. */
  readonly share: number;
  /** How many of them followed a failure of `from`. */
  readonly afterFailure: number;
  /** Mean time between the end of `from` and the start of `to`, in milliseconds; mostly the model's thinking time. */
  readonly meanGapMs: number;
}

/** Lists which tool follows which, most frequent first. */
export function transitions(source: QuerySource, filter: CallFilter): Transition[] {
  const { tools, ...others } = filter;
  const from = fromCalls(others);
  // Filter by tool only afterwards, because the tool may be on either side.
  const sql = `with call as materialized (
      select call.tool_name, call.session_id, call.started_at_ms, call.duration_ms, call.sequence,
        call.status in ${FAILED} as failed ${from.sql} and call.session_id is not null),
    step as (
      select tool_name, lag(tool_name) over following as previous, lag(failed) over following as failed,
        started_at_ms - lag(started_at_ms + duration_ms) over following as gap
      from call window following as (partition by session_id order by started_at_ms, sequence))
    select previous as "from", tool_name as "to", count(*) as count, sum(failed) as afterFailure,
      max(0, avg(gap)) as meanGapMs, 1.0 * count(*) / sum(count(*)) over (partition by previous) as share
    from step where previous is not null group by 1, 2 order by count desc, "from", "to"`;
  return all<Transition>(source, sql, from.values).filter(
    (step) => matchesPatterns(step.from, tools) || matchesPatterns(step.to, tools),
  );
}
