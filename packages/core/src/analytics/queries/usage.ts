import { type CallFilter, FAILED, fromCalls, fromSessions } from "./filter.ts";
import { Samples, percentileOf } from "./percentile.ts";
import { type Binding, type QuerySource, one } from "./source.ts";

/** Counts, durations and failures of calls. Durations are in milliseconds; percentiles use the nearest rank. */
export interface Figures {
  readonly calls: number;
  readonly failures: number;
  /** `failures / calls`; 0 without calls. */
  readonly failureRate: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  /** The total duration of all calls. */
  readonly totalMs: number;
  /** Tokens that the results added to the model's context, where known. */
  readonly outputTokens: number;
}

export interface ToolUsage extends Figures {
  readonly toolName: string;
}

export interface UsageTotals extends Figures {
  readonly tools: number;
  /** Sessions that started in the period. */
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
  readonly outcome: PackedOutcome;
}

/** Computes the figures of a set of calls. */
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
 * Computes the figures of the matching calls: in total, per tool, and per bucket of time.
 * @param starts Start times of the buckets in ascending order, beginning with the filter's `since`. Default: no
 * buckets.
 */
export function usage(
  source: QuerySource,
  filter: CallFilter,
  starts: readonly number[] = [],
): Usage {
  const tools = new Map<string, Tally>();
  const bounds = boundsOf(source, filter);
  // Time span of a slice, in milliseconds.
  const pace = { length: Math.max(1, (bounds.until - bounds.since) / 256) };
  const buckets = (starts.length === 0 ? [bounds.since] : starts).map((startedAt, index) => {
    const until = starts[index + 1] ?? bounds.until;
    let calls = 0;
    let failures = 0;
    for (const rows of slices(source, { ...filter, since: startedAt, until }, pace)) {
      calls += rows.length;
      for (const { tool, ms, outcome } of rows) {
        let tally = tools.get(tool);
        if (!tally) tools.set(tool, (tally = new Tally()));
        const isFailure = hasFailed(outcome);
        if (isFailure) failures += 1;
        tally.add(ms, isFailure, tokensOf(outcome));
      }
    }
    return { startedAt, calls, failures };
  });
  return {
    totals: {
      ...Tally.sum([...tools.values()]),
      tools: tools.size,
      sessions: countSessions(source, filter),
    },
    tools: [...tools]
      .map(([toolName, tally]) => ({ toolName, ...tally.figures }))
      .toSorted((a, b) => b.calls - a.calls || (a.toolName < b.toolName ? -1 : 1)),
    buckets: starts.length === 0 ? [] : buckets,
  };
}

/** Computes the totals that SQL can aggregate, in a fifth of the time of `usage`. */
export function usageTotals(
  source: QuerySource,
  filter: CallFilter,
): Pick<UsageTotals, "calls" | "failures" | "failureRate" | "outputTokens" | "sessions"> {
  const from = fromCalls(filter);
  const sums = one<{ calls: number; failures: number; outputTokens: number }>(
    source,
    `select count(*) as calls, count(*) filter (where ${IS_FAILURE}) as failures,
       total(call.output_tokens) as outputTokens ${from.sql}`,
    from.values,
  );
  const failureRate = sums.calls === 0 ? 0 : sums.failures / sums.calls;
  return { ...sums, failureRate, sessions: countSessions(source, filter) };
}

/** Cheapest test first: most calls are successes, so it halves the time. */
const IS_FAILURE = `call.status <> 'success' and call.status in ${FAILED}`;

/**
 * Failure and output tokens `n` of a call in one column: `n` for a success, `-1 - n` for a failure. With two columns,
 * `usage` takes 1.36 times as long.
 */
type PackedOutcome = number;

const OUTPUT_TOKENS = "max(0, ifnull(call.output_tokens, 0))";
const PACKED_OUTCOME = `iif(${IS_FAILURE}, -1 - ${OUTPUT_TOKENS}, ${OUTPUT_TOKENS})`;

function hasFailed(outcome: PackedOutcome): boolean {
  return outcome < 0;
}

function tokensOf(outcome: PackedOutcome): number {
  return outcome < 0 ? -1 - outcome : outcome;
}

function countSessions(source: QuerySource, filter: CallFilter): number {
  const { sql, values } = fromSessions(filter);
  return one<{ count: number }>(source, `select count(*) as count ${sql}`, values).count;
}

function boundsOf(source: QuerySource, { since, until }: CallFilter) {
  const { first, last } = one<{ first: number | null; last: number | null }>(
    source,
    `select (select min(started_at_ms) from tool_calls) as first, (select max(started_at_ms) from tool_calls) as last`,
    [],
  );
  return { since: since ?? first ?? 0, until: until ?? (last ?? 0) + 1 };
}

/** Target rows per slice: enough that SQLite's loop dominates, and few enough that memory stays flat. */
const FEW_ROWS = 2_500;
const MANY_ROWS = 10_000;
/** Maximum rows per slice: one that grew over an empty period (such as after a clock error) may match any number. */
const MOST_ROWS = 40_000;

/** Yields the rows of a period in slices. A slice grows after one with few rows, and shrinks after one with many. */
function* slices(
  source: QuerySource,
  filter: CallFilter & { readonly since: number; readonly until: number },
  pace: { length: number },
): Iterable<Row[]> {
  const { since, until, ...others } = filter;
  const from = fromCalls(others);
  const statement = source.$client.prepare<Row, Binding[]>(
    `select call.tool_name as tool, call.duration_ms as ms, ${PACKED_OUTCOME} as outcome
     ${from.sql} and call.started_at_ms >= ? and call.started_at_ms < ? limit ?`,
  );
  for (let begin = since; begin < until;) {
    const end = Math.min(until, begin + Math.ceil(pace.length));
    const isShortest = pace.length <= 1;
    const rows = statement.all(...from.values, begin, end, isShortest ? -1 : MOST_ROWS);
    if (rows.length === MOST_ROWS && !isShortest) {
      pace.length /= 16;
      continue;
    }
    yield rows;
    if (rows.length < FEW_ROWS) pace.length *= 2;
    if (rows.length > MANY_ROWS) pace.length = Math.max(1, pace.length / 2);
    begin = end;
  }
  statement.finalize();
}
