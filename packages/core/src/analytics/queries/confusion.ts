import type { ToolCallStatus } from "../vocabulary.ts";
import { type CallFilter, FAILED, fromCalls } from "./filter.ts";
import { type QuerySource, stream } from "./source.ts";

/** The rejected calls of a tool, and how often the model retried. */
export interface Retries {
  readonly toolName: string;
  readonly rejections: number;
  /** Rejections that were directly followed by another call of the same tool in the same session. */
  readonly retried: number;
  /** Retries that succeeded. */
  readonly recovered: number;
  /** The most frequent error type of the rejections. */
  readonly errorType: string | null;
}

/** Repeated calls of a tool with the same arguments. */
export interface Loops {
  readonly toolName: string;
  /** Runs of at least three consecutive equal calls in a session. */
  readonly loops: number;
  /** Total number of calls in these runs. */
  readonly calls: number;
  readonly longest: number;
  /** The session with the longest run. */
  readonly sessionId: string;
}

/** A failed call directly followed by a successful call of another tool. */
export interface Substitution {
  readonly from: string;
  readonly to: string;
  readonly count: number;
  /** `count` as a share of all failures of `from`, from 0 to 1. */
  readonly share: number;
}

/** Signs that models struggle with tools; each list has the most frequent first. */
export interface Confusion {
  readonly retries: readonly Retries[];
  readonly loops: readonly Loops[];
  readonly substitutions: readonly Substitution[];
}

/** Number of consecutive equal calls that count as a loop. */
const LOOP_LENGTH = 3;

interface Row {
  readonly session: string;
  readonly tool: string;
  readonly status: ToolCallStatus;
  readonly failed: number;
  readonly reason: string | null;
  readonly argumentHash: string | null;
}

/** Finds signs of confusion from the order of calls and hashes of their arguments; needs no stored arguments. */
export function confusion(source: QuerySource, filter: CallFilter): Confusion {
  const from = fromCalls(filter);
  const sql = `select call.session_id as session, call.tool_name as tool, call.status,
      call.status in ${FAILED} as failed, call.error_type as reason, call.argument_hash as argumentHash
    ${from.sql} and call.session_id is not null order by call.session_id, call.started_at_ms, call.sequence`;
  const finder = new Finder();
  for (const row of stream<Row>(source, sql, from.values)) finder.see(row);
  return finder.found();
}

/** Collects the signs from calls that are ordered by session and time. */
class Finder {
  readonly #retries = new Map<string, Retries & { readonly reasons: Map<string, number> }>();
  readonly #loops = new Map<string, Loops>();
  readonly #substitutions = new Map<string, Map<string, number>>();
  readonly #failures = new Map<string, number>();
  #previous: Row | undefined;
  #equal = 1;

  see(row: Row): void {
    const previous = this.#previous?.session === row.session ? this.#previous : undefined;
    this.#previous = row;
    if (row.failed) increase(this.#failures, row.tool);
    if (row.status === "rejected") this.#sawRejection(row);
    if (previous?.status === "rejected" && previous.tool === row.tool) this.#sawRetry(row);
    if (previous?.failed && previous.tool !== row.tool && row.status === "success") {
      let targets = this.#substitutions.get(previous.tool);
      if (!targets) this.#substitutions.set(previous.tool, (targets = new Map()));
      increase(targets, row.tool);
    }
    const isEqual =
      previous?.tool === row.tool &&
      row.argumentHash !== null &&
      previous.argumentHash === row.argumentHash;
    this.#equal = isEqual ? this.#equal + 1 : 1;
    if (this.#equal >= LOOP_LENGTH) this.#sawLoop(row, this.#equal);
  }

  found(): Confusion {
    const substitutions = [...this.#substitutions].flatMap(([from, targets]) =>
      [...targets].map(([to, count]) => ({
        from,
        to,
        count,
        share: count / (this.#failures.get(from) ?? count),
      })),
    );
    return {
      retries: [...this.#retries.values()]
        .map(({ reasons, ...retries }) => ({ ...retries, errorType: mostFrequent(reasons) }))
        .toSorted((a, b) => b.rejections - a.rejections),
      loops: [...this.#loops.values()].toSorted((a, b) => b.calls - a.calls),
      substitutions: substitutions.toSorted((a, b) => b.count - a.count),
    };
  }

  #sawRejection({ tool, reason }: Row): void {
    const retries = this.#retriesOf(tool);
    if (reason !== null) increase(retries.reasons, reason);
    this.#retries.set(tool, { ...retries, rejections: retries.rejections + 1 });
  }

  #sawRetry({ tool, status }: Row): void {
    const retries = this.#retriesOf(tool);
    const recovered = retries.recovered + (status === "success" ? 1 : 0);
    this.#retries.set(tool, { ...retries, retried: retries.retried + 1, recovered });
  }

  #retriesOf(toolName: string) {
    const nothing = { toolName, rejections: 0, retried: 0, recovered: 0, errorType: null };
    return this.#retries.get(toolName) ?? { ...nothing, reasons: new Map<string, number>() };
  }

  #sawLoop({ tool, session }: Row, length: number): void {
    const { loops, calls, longest, sessionId } = this.#loops.get(tool) ?? {
      loops: 0,
      calls: 0,
      longest: 0,
      sessionId: session,
    };
    const isNew = length === LOOP_LENGTH;
    this.#loops.set(tool, {
      toolName: tool,
      loops: loops + (isNew ? 1 : 0),
      calls: calls + (isNew ? LOOP_LENGTH : 1),
      longest: Math.max(longest, length),
      sessionId: length > longest ? session : sessionId,
    });
  }
}

function increase(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function mostFrequent(counts: ReadonlyMap<string, number>): string | null {
  return [...counts].toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? null;
}
