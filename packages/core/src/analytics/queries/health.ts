import type { DropReason } from "../vocabulary.ts";
import type { CallFilter } from "./filter.ts";
import { type QuerySource, all, one } from "./source.ts";

const HOUR_MS = 3_600_000;

/** The costs and losses of recording in a period, over all processes. */
export interface RecordingHealth {
  readonly recorders: number;
  readonly accepted: number;
  readonly written: number;
  readonly dropped: Readonly<Record<Exclude<DropReason, "shutdown_timeout">, number>>;
  readonly failedFlushes: number;
  readonly retries: number;
  readonly unjournaled: number;
  readonly recovered: number;
  /** Time spent in the threads of the recorded tools, in milliseconds: in total and per record. */
  readonly recordingMs: number;
  readonly recordingMsPerRecord: number | null;
  readonly queuePeak: number | null;
  /** The value of the worst hour, in milliseconds. */
  readonly commitP99Ms: number | null;
  readonly commitMaxMs: number | null;
  readonly lockWaitMaxMs: number | null;
  readonly lastError: string | null;
  readonly lastErrorAt: number | null;
}

/** The size and content of the file. Times are milliseconds since 1970 UTC. */
export interface FileHealth {
  readonly bytes: number;
  /** Size of the free pages in the file, which new calls reuse. */
  readonly freeBytes: number;
  readonly calls: number;
  readonly sessions: number;
  readonly definitions: number;
  readonly firstCallAt: number | null;
  readonly lastCallAt: number | null;
}

type Sums = Omit<RecordingHealth, "dropped" | "lastError" | "lastErrorAt">;

/** Sums up the hourly counters of all recorders in the period. The hour in which it begins counts as a whole. */
export function recordingHealth(
  source: QuerySource,
  { since = 0, until = Number.MAX_SAFE_INTEGER }: Pick<CallFilter, "since" | "until">,
): RecordingHealth {
  const where = "from recorder_health where hour_started_at_ms >= ? and hour_started_at_ms < ?";
  const values = [Math.floor(since / HOUR_MS) * HOUR_MS, until];
  const sums = one<Sums>(
    source,
    `select count(distinct recorder_id) as recorders, total(accepted) as accepted, total(written) as written,
       total(failed_flushes) as failedFlushes, total(retries) as retries, total(unjournaled) as unjournaled,
       total(recovered) as recovered, total(recording_ms) as recordingMs,
       total(recording_ms) / nullif(total(accepted), 0) as recordingMsPerRecord, max(queue_peak) as queuePeak,
       max(commit_p99_ms) as commitP99Ms, max(commit_max_ms) as commitMaxMs, max(lock_wait_max_ms) as lockWaitMaxMs ${where}`,
    values,
  );
  const dropped = one<RecordingHealth["dropped"]>(
    source,
    `select total(dropped_invalid) as invalid, total(dropped_queue_full) as queue_full,
       total(dropped_unwritable) as unwritable, total(dropped_unknown_session) as unknown_session,
       total(dropped_shut_down) as shut_down ${where}`,
    values,
  );
  const [last] = all<Pick<RecordingHealth, "lastError" | "lastErrorAt">>(
    source,
    `select last_error as lastError, last_error_at_ms as lastErrorAt ${where} and last_error is not null
       order by last_error_at_ms desc limit 1`,
    values,
  );
  return {
    ...sums,
    dropped,
    lastError: last?.lastError ?? null,
    lastErrorAt: last?.lastErrorAt ?? null,
  };
}

/** Reads the size and content of the file. */
export function fileHealth(source: QuerySource): FileHealth {
  const pragma = (name: string) => Number(source.$client.query(`pragma ${name}`).values()[0]?.[0]);
  const pageSize = pragma("page_size");
  return {
    bytes: pragma("page_count") * pageSize,
    freeBytes: pragma("freelist_count") * pageSize,
    ...one<Omit<FileHealth, "bytes" | "freeBytes">>(
      source,
      `select (select count(*) from tool_calls) as calls, (select count(*) from sessions) as sessions,
         (select count(*) from tool_definitions) as definitions,
         (select min(started_at_ms) from tool_calls) as firstCallAt,
         (select max(started_at_ms) from tool_calls) as lastCallAt`,
      [],
    ),
  };
}
