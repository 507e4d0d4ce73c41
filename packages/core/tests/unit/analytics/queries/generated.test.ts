/** The same questions asked of generated calls, against answers computed without SQL. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { clients } from "../../../../src/analytics/queries/clients.ts";
import { confusion } from "../../../../src/analytics/queries/confusion.ts";
import { contextTax } from "../../../../src/analytics/queries/context-tax.ts";
import { errorClasses } from "../../../../src/analytics/queries/error-classes.ts";
import { transitions } from "../../../../src/analytics/queries/transitions.ts";
import { usage, usageTotals } from "../../../../src/analytics/queries/usage.ts";
import { FAILED_STATUSES, TOOL_CALL_STATUSES } from "../../../../src/analytics/vocabulary.ts";
import { HOUR, T0, ledger } from "../../../support/ledger.ts";

const call = fc.record({
  toolName: fc.constantFrom("read", "write", "list"),
  sessionId: fc.constantFrom("one", "two", "three"),
  // Distinct times, so that the order is no matter of taste.
  minute: fc.nat({ max: 5_000 }),
  durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  status: fc.constantFrom(...TOOL_CALL_STATUSES),
  outputTokens: fc.option(fc.nat({ max: 5_000 }), { nil: undefined }),
  argumentHash: fc.constantFrom("x", "y"),
  clientName: fc.option(fc.constantFrom("claude", "cursor"), { nil: undefined }),
});

const generated = fc
  .uniqueArray(call, { selector: ({ minute }) => minute, maxLength: 80 })
  .map((all) => all.map(({ minute, ...rest }) => ({ ...rest, startedAt: T0 + minute * 60_000 })));

type Generated = Parameters<Parameters<typeof generated.map>[0]>[0][number];

const failed = ({ status }: Generated) => FAILED_STATUSES.some((each) => each === status);

/** The calls of each session, in the order of time. */
function bySession(calls: readonly Generated[]): readonly (readonly Generated[])[] {
  const sorted = calls.toSorted((a, b) => a.startedAt - b.startedAt);
  return [...Map.groupBy(sorted, ({ sessionId }) => sessionId).values()];
}

function nearestRank(values: readonly number[], percent: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length)) - 1] ?? null;
}

function countBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): Record<string, number> {
  const groups = Map.groupBy(items, keyOf);
  return Object.fromEntries([...groups].map(([key, members]) => [key, members.length]));
}

function holds(check: (calls: readonly Generated[], db: ReturnType<typeof ledger>) => void): void {
  fc.assert(
    fc.property(generated, (calls) => {
      using db = ledger({ calls });
      check(calls, db);
    }),
    { numRuns: 60 },
  );
}

test("usage", () => {
  holds((calls, db) => {
    const since = T0 + 10 * HOUR;
    const until = T0 + 60 * HOUR;
    const starts = [since, since + 20 * HOUR];
    const chosen = calls.filter(({ startedAt }) => startedAt >= since && startedAt < until);
    const answer = usage(db, { since, until }, starts);
    const figuresOf = (some: readonly Generated[]) => {
      const durations = some.map(({ durationMs }) => durationMs);
      const failures = some.filter(failed).length;
      return {
        calls: some.length,
        failures,
        failureRate: some.length === 0 ? 0 : failures / some.length,
        p50Ms: nearestRank(durations, 50),
        p95Ms: nearestRank(durations, 95),
        p99Ms: nearestRank(durations, 99),
        maxMs: nearestRank(durations, 100),
        outputTokens: some.reduce((sum, { outputTokens = 0 }) => sum + outputTokens, 0),
      };
    };
    expect(answer.totals).toMatchObject(figuresOf(chosen));
    const groups = Map.groupBy(chosen, ({ toolName }): string => toolName);
    expect(answer.tools).toHaveLength(groups.size);
    for (const tool of answer.tools)
      expect(tool).toMatchObject(figuresOf(groups.get(tool.toolName) ?? []));
    const second = chosen.filter(({ startedAt }) => startedAt >= since + 20 * HOUR);
    expect(answer.buckets.map(({ calls: count }) => count)).toEqual([
      chosen.length - second.length,
      second.length,
    ]);
    expect(usageTotals(db, { since, until })).toMatchObject({
      calls: chosen.length,
      failures: chosen.filter(failed).length,
      outputTokens: answer.totals.outputTokens,
    });
  });
});

test("errorClasses", () => {
  holds((calls, db) => {
    const expected = countBy(
      calls.filter(failed),
      ({ toolName, status }) => `${toolName} ${status}`,
    );
    const found = errorClasses(db, {}).map(({ toolName, status, failures }) => [
      `${toolName} ${status}`,
      failures,
    ]);
    expect(Object.fromEntries(found)).toEqual(expected);
  });
});

test("clients", () => {
  holds((calls, db) => {
    // A session takes its client from the first of its calls that is stored.
    const firsts = Object.fromEntries(
      [...Map.groupBy(calls, ({ sessionId }) => sessionId)].map(([id, [first]]) => [
        id,
        first?.clientName,
      ]),
    );
    const expected = countBy(
      calls,
      ({ clientName, sessionId }) => `${clientName ?? firsts[sessionId]}`,
    );
    const found = clients(db, {}).map(({ clientName, calls: count }) => [
      `${clientName ?? undefined}`,
      count,
    ]);
    expect(Object.fromEntries(found)).toEqual(expected);
  });
});

test("transitions", () => {
  holds((calls, db) => {
    const steps = bySession(calls).flatMap((session) =>
      session.slice(1).map((to, index) => ({ from: session[index]!, to })),
    );
    const keyOf = ({ from, to }: (typeof steps)[number]) => `${from.toolName} → ${to.toolName}`;
    const found = transitions(db, {});
    expect(
      Object.fromEntries(found.map(({ from, to, count }) => [`${from} → ${to}`, count])),
    ).toEqual(countBy(steps, keyOf));
    expect(
      Object.fromEntries(
        found
          .filter(({ afterFailure }) => afterFailure > 0)
          .map(({ from, to, afterFailure }) => [`${from} → ${to}`, afterFailure]),
      ),
    ).toEqual(
      countBy(
        steps.filter(({ from }) => failed(from)),
        keyOf,
      ),
    );
  });
});

test("confusion", () => {
  holds((calls, db) => {
    const sessions = bySession(calls);
    const steps = sessions.flatMap((session) =>
      session.slice(1).map((to, index) => ({ from: session[index]!, to })),
    );
    const { retries, loops, substitutions } = confusion(db, {});
    const rejected = calls.filter(({ status }) => status === "rejected");
    expect(Object.fromEntries(retries.map((each) => [each.toolName, each.rejections]))).toEqual(
      countBy(rejected, ({ toolName }) => toolName),
    );
    const retried = steps.filter(
      ({ from, to }) => from.status === "rejected" && from.toolName === to.toolName,
    );
    expect(retries.reduce((sum, each) => sum + each.retried, 0)).toBe(retried.length);
    const right = retried.filter(({ to }) => to.status === "success");
    expect(retries.reduce((sum, each) => sum + each.recovered, 0)).toBe(right.length);
    const substituted = steps.filter(
      ({ from, to }) => failed(from) && from.toolName !== to.toolName && to.status === "success",
    );
    expect(
      Object.fromEntries(substitutions.map(({ from, to, count }) => [`${from} ${to}`, count])),
    ).toEqual(countBy(substituted, ({ from, to }) => `${from.toolName} ${to.toolName}`));
    // Runs of equal calls, as a text that a pattern can search.
    const runs = sessions.flatMap((session) => {
      const text = session
        .map(({ toolName, argumentHash }) => `${toolName}${argumentHash} `)
        .join("");
      return [...text.matchAll(/(\w+ )\1{2,}/g)].map(([run]) => run.trim().split(" "));
    });
    expect(loops.reduce((sum, each) => sum + each.calls, 0)).toBe(runs.flat().length);
    expect(loops.reduce((sum, each) => sum + each.loops, 0)).toBe(runs.length);
  });
});

test("contextTax", () => {
  const sets = fc.array(fc.subarray(["read", "write", "list"]), { maxLength: 6 });
  fc.assert(
    fc.property(
      sets,
      fc.array(fc.tuple(fc.nat(5), fc.constantFrom("read", "write"))),
      (carried, used) => {
        const ids = carried.map((_, index) => `session-${index}`);
        const calls = used
          .filter(([session]) => session < ids.length)
          .map(([session, toolName]) => ({ toolName, sessionId: `session-${session}` }));
        using db = ledger({
          definitions: ["read", "write", "list"].map((hash) => ({
            hash,
            tokens: hash.length * 100,
          })),
          sessions: Object.fromEntries(
            ids.map((id, index) => [id, { definitionHashes: carried[index] ?? [] }]),
          ),
          calls,
        });
        for (const tax of contextTax(db, {})) {
          const having = ids.filter((_, index) => carried[index]?.includes(tax.toolName));
          const calling = new Set(
            calls
              .filter(({ toolName }) => toolName === tax.toolName)
              .map(({ sessionId }) => sessionId),
          );
          expect(tax).toMatchObject({
            sessions: having.length,
            carriedTokens: having.length * tax.toolName.length * 100,
            calls: calls.filter(({ toolName }) => toolName === tax.toolName).length,
            callingSessions: Math.min(having.length, calling.size),
          });
        }
      },
    ),
    { numRuns: 60 },
  );
});
