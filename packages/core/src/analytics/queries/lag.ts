import type { AnalyticsReader } from "../database/reader.ts";
import { LiveCallFollower } from "./live-calls.ts";
import { one } from "./source.ts";

/** How far the file is behind the processes that record into it. */
export interface RecordingLag {
  /** Calls that ended and are in a journal only. */
  readonly waiting: number;
  /** When the first of them ended, in milliseconds since 1970 UTC. */
  readonly oldestAt: number | null;
  /** Calls that run now. */
  readonly running: number;
}

/** Compares the journals of living processes with the file. */
export function recordingLag(source: AnalyticsReader): RecordingLag {
  const { ended, running } = new LiveCallFollower(source.path).poll();
  const waiting = ended.filter(({ id }) => !isStored(source, id));
  const ends = waiting.map(({ startedAt, durationMs }) => startedAt + durationMs);
  return {
    waiting: waiting.length,
    oldestAt: ends.length === 0 ? null : Math.min(...ends),
    running: running.length,
  };
}

/** A call in flight may be in the file, too, as abandoned: after a crash of its writer. */
function isStored(source: AnalyticsReader, id: string): boolean {
  const sql =
    "select exists (select 1 from tool_calls where id = ? and status <> 'abandoned') as stored";
  return one<{ stored: number }>(source, sql, [id]).stored === 1;
}
