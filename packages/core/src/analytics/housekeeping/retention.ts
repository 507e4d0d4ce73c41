import type { Database } from "bun:sqlite";

/** How long, and how much, is kept. Without a limit everything is. */
export interface RetentionPolicy {
  /** Calls and sessions that began longer ago are removed, in days. Minimum: 1. @default none */
  readonly maxAgeDays?: number;
  /** The oldest calls are removed while the file is larger, in megabytes of 1,000,000 bytes. Minimum: 1. @default none */
  readonly maxSizeMb?: number;
}

/** Calls removed in one transaction: others wait for it, so it takes milliseconds. */
const SLICE_ROWS = 500;
/** Free pages given back to the file system in one transaction. */
const SLICE_PAGES = 250;

const DAY_MS = 86_400_000;

/** Removes what a policy does not keep, in slices. */
export class Retention {
  readonly #policy: RetentionPolicy;

  constructor(policy: RetentionPolicy) {
    this.#policy = policy;
  }

  /**
   * Removes one slice; true if there is more. Throws SQLite's own error; nothing is removed then.
   *
   * Age counts from the newest call in the file, or from `now` if that is earlier: a clock that jumps ahead
   * removes nothing before calls are recorded by it.
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

/** Sessions that ended and have no calls left, and what they carried. */
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
  // What the calls left behind goes before more of them do.
  if (removeSessions(client, scalar(client, "select min(started_at_ms) from tool_calls")))
    return true;
  const { changes } = client.run(
    `delete from tool_calls where sequence in
       (select sequence from tool_calls order by sequence limit ${SLICE_ROWS})`,
  );
  return changes > 0;
}

/** Free pages go back to the file system, where the file was made to allow it (`auto_vacuum`). */
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
