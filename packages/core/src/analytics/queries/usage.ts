import { type CallFilter, FAILED, fromCalls, fromSessions } from "./filter.ts";
import { Samples, percentileOf } from "./percentile.ts";
import { type Binding, type QuerySource, one } from "./source.ts";

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
  readonly outcome: PackedOutcome;
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
 * @param starts When each bucket of time begins, ascending, the first with the filter's time; none without them.
 */
export function usage(
  source: QuerySource,
  filter: CallFilter,
  starts: readonly number[] = [],
): Usage {
  const tools = new Map<string, Tally>();
  const bounds = boundsOf(source, filter);
  // Time that a slice takes in, in milliseconds.
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

/** The totals that need no look at each call: a fifth of the time of `usage`. */
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

/** The comparison first that most calls fail: it takes half of the time. */
const IS_FAILURE = `call.status <> 'success' and call.status in ${FAILED}`;

/**
 * Whether a call failed and its output tokens `n`, in one column: `n` after a success, `-1 - n` after a failure.
 * `usage` takes 1.36 times as long with two columns.
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

/** Rows at once: many, so that SQLite's loop makes them, and few, so that memory stays flat. */
const FEW_ROWS = 2_500;
const MANY_ROWS = 10_000;
/** More are not read: a slice that grew over an empty time, such as after a clock's error, may meet any number. */
const MOST_ROWS = 40_000;

/** The rows of a time, slice by slice. A slice is longer after one of few rows, shorter after one of many. */
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
