import type { AnalyticsReader } from "../database/reader.ts";
import { LiveCallFollower } from "./live-calls.ts";
import { one } from "./source.ts";

/** The delay between the living processes and the database file. */
export interface RecordingLag {
  /** Ended calls that are only in a journal. */
  readonly waiting: number;
  /** End of the earliest of them, in milliseconds since 1970 UTC. */
  readonly oldestAt: number | null;
  /** Calls that are running now. */
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

/** Whether an ended call is stored. After a crash of its writer, a call in flight may be stored as `abandoned`. */
function isStored(source: AnalyticsReader, id: string): boolean {
  const sql =
    "select exists (select 1 from tool_calls where id = ? and status <> 'abandoned') as stored";
  return one<{ stored: number }>(source, sql, [id]).stored === 1;
}
