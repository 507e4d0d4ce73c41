import { type CallFilter, FAILED, fromCalls, fromSessions } from "./filter.ts";
import { Samples, percentileOf } from "./percentile.ts";
import { type QuerySource, one, stream } from "./source.ts";

/** How often, how fast, how well. Durations are in milliseconds, percentiles by nearest rank. */
export interface Figures {
  readonly calls: number;
  readonly failures: number;
  /** `failures / calls`; 0 without calls. */
  readonly failureRate: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  /** The time of all calls together. */
  readonly totalMs: number;
  /** What the results put into the model's context, as far as it is known. */
  readonly outputTokens: number;
}

export interface ToolUsage extends Figures {
  readonly toolName: string;
}

export interface UsageTotals extends Figures {
  readonly tools: number;
  /** Sessions that began in the time. */
  readonly sessions: number;
}

export interface UsageBucket {
  /** Milliseconds since 1970 UTC. */
  readonly startedAt: number;
  readonly calls: number;
  readonly failures: number;
}

export interface Usage {
  readonly totals: UsageTotals;
  /** Most called first. */
  readonly tools: readonly ToolUsage[];
  readonly buckets: readonly UsageBucket[];
}

interface Row {
  readonly tool: string;
  readonly ms: number;
  readonly failed: number;
  readonly tokens: number | null;
  readonly at: number;
}

/** Gathers the figures of some calls. */
export class Tally {
  readonly samples = new Samples();
  #failures = 0;
  #totalMs = 0;
  #outputTokens = 0;

  add(durationMs: number, isFailure: boolean, outputTokens: number | null): void {
    this.samples.add(durationMs);
    if (isFailure) this.#failures += 1;
    this.#totalMs += durationMs;
    if (outputTokens !== null) this.#outputTokens += outputTokens;
  }

  get figures(): Figures {
    return toFigures([this]);
  }

  static sum(tallies: readonly Tally[]): Figures {
    return toFigures(tallies);
  }

  get counts() {
    return {
      failures: this.#failures,
      totalMs: this.#totalMs,
      outputTokens: this.#outputTokens,
    };
  }
}

function toFigures(tallies: readonly Tally[]): Figures {
  const samples = tallies.map((tally) => tally.samples);
  const sum = (key: keyof Tally["counts"]) =>
    tallies.reduce((total, { counts }) => total + counts[key], 0);
  const calls = samples.reduce((total, { length }) => total + length, 0);
  const failures = sum("failures");
  return {
    calls,
    failures,
    failureRate: calls === 0 ? 0 : failures / calls,
    p50Ms: percentileOf(samples, 50),
    p95Ms: percentileOf(samples, 95),
    p99Ms: percentileOf(samples, 99),
    maxMs: percentileOf(samples, 100),
    totalMs: sum("totalMs"),
    outputTokens: sum("outputTokens"),
  };
}

/**
 * What was called, how often, how fast, how well: together, by tool, and by time.
 * @param starts When each bucket of time begins, ascending; the last one ends with the filter's time.
 */
export function usage(
  source: QuerySource,
  filter: CallFilter,
  starts: readonly number[] = [],
): Usage {
  const tools = new Map<string, Tally>();
  const buckets = starts.map((startedAt) => ({ startedAt, calls: 0, failures: 0 }));
  let current = 0;
  const from = fromCalls(filter);
  const sql = `select call.tool_name as tool, call.duration_ms as ms, call.status in ${FAILED} as failed,
      call.output_tokens as tokens, call.started_at_ms as at ${from.sql}`;
  for (const { tool, ms, failed, tokens, at } of stream<Row>(source, sql, from.values)) {
    let tally = tools.get(tool);
    if (!tally) tools.set(tool, (tally = new Tally()));
    tally.add(ms, failed === 1, tokens);
    if (buckets.length === 0) continue;
    // Rows come in the order of time, mostly: the index is in it.
    if (at < (starts[current] ?? 0)) current = 0;
    while (at >= (starts[current + 1] ?? Number.POSITIVE_INFINITY)) current += 1;
    const bucket = buckets[current];
    if (!bucket) continue;
    bucket.calls += 1;
    bucket.failures += failed;
  }
  const sessions = fromSessions(filter);
  return {
    totals: {
      ...Tally.sum([...tools.values()]),
      tools: tools.size,
      sessions: one<{ count: number }>(
        source,
        `select count(*) as count ${sessions.sql}`,
        sessions.values,
      ).count,
    },
    tools: [...tools]
      .map(([toolName, tally]) => ({ toolName, ...tally.figures }))
      .toSorted((a, b) => b.calls - a.calls || a.toolName.localeCompare(b.toolName)),
    buckets,
  };
}
