import type { Database } from "bun:sqlite";

/** Limits on the age and size of the stored data. Without a limit, everything is kept. */
export interface RetentionPolicy {
  /** Removes calls and sessions that began longer ago than this, in days. Minimum: 1. @default no limit */
  readonly maxAgeDays?: number;
  /**
   * Removes the oldest calls while the file is larger than this, in megabytes of 1,000,000 bytes. Minimum: 1. @default
   * no limit
   */
  readonly maxSizeMb?: number;
}

/** Rows removed per transaction: few, so that other writers wait only milliseconds. */
const SLICE_ROWS = 500;
/** Free pages returned to the file system per transaction. */
const SLICE_PAGES = 250;

const DAY_MS = 86_400_000;

/** Removes the data that exceeds the limits of a policy, in small slices. */
export class Retention {
  readonly #policy: RetentionPolicy;

  constructor(policy: RetentionPolicy) {
    this.#policy = policy;
  }

  /**
   * Removes one slice. Returns true if more may remain. On an error of SQLite, throws it and removes nothing.
   *
   * Age is measured from the newest call in the file, or from `now` if that is earlier. A clock that jumps ahead
   * therefore removes nothing until calls are recorded with it.
   */
  slice(client: Database, now: number): boolean {
    const { maxAgeDays, maxSizeMb } = this.#policy;
    const isOld = maxAgeDays !== undefined && this.#removeOlder(client, now, maxAgeDays * DAY_MS);
    const isLarge = maxSizeMb !== undefined && removeOldest(client, maxSizeMb * 1_000_000);
    return isOld || isLarge || giveBack(client, this.#policy);
  }

  #removeOlder(client: Database, now: number, ageMs: number): boolean {
    const newest = scalar(client, "select max(started_at_ms) from tool_calls");
    const { changes } = client.run(
      `delete from tool_calls where sequence in
         (select sequence from tool_calls where started_at_ms < ? order by started_at_ms limit ${SLICE_ROWS})`,
      [Math.min(now, newest) - ageMs],
    );
    if (changes > 0) return true;
    return removeSessions(client, Math.min(now, newest) - ageMs);
  }
}

/** Removes ended sessions without calls, and their links to tool definitions. */
function removeSessions(client: Database, startedBefore: number): boolean {
  return client.transaction(() => {
    const ids = client
      .query<{ id: string }, [number]>(
        `select id from sessions where started_at_ms < ? and ended_at_ms is not null
           and not exists (select 1 from tool_calls where session_id = sessions.id) limit ${SLICE_ROWS}`,
      )
      .all(startedBefore);
    for (const { id } of ids) {
      client.run("delete from session_definitions where session_id = ?", [id]);
      client.run("delete from sessions where id = ?", [id]);
    }
    return ids.length > 0;
  })();
}

function removeOldest(client: Database, maxBytes: number): boolean {
  const pages = scalar(client, "pragma page_count") - scalar(client, "pragma freelist_count");
  if (pages * scalar(client, "pragma page_size") <= maxBytes) return false;
  // Remove emptied sessions before more calls.
  if (removeSessions(client, scalar(client, "select min(started_at_ms) from tool_calls")))
    return true;
  const { changes } = client.run(
    `delete from tool_calls where sequence in
       (select sequence from tool_calls order by sequence limit ${SLICE_ROWS})`,
  );
  return changes > 0;
}

/** Returns free pages to the file system, if the file was created with `auto_vacuum`. */
function giveBack(client: Database, { maxAgeDays, maxSizeMb }: RetentionPolicy): boolean {
  if (maxAgeDays === undefined && maxSizeMb === undefined) return false;
  const before = scalar(client, "pragma freelist_count");
  if (before < SLICE_PAGES) return false;
  client.run(`pragma incremental_vacuum(${SLICE_PAGES})`);
  return scalar(client, "pragma freelist_count") < before;
}

function scalar(client: Database, sql: string): number {
  return Number(client.query(sql).values()[0]?.[0]);
}
