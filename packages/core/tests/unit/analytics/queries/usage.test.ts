import { describe, expect, test } from "bun:test";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { usage, usageTotals } from "../../../../src/analytics/queries/usage.ts";
import { DAY, HOUR, T0, ledger } from "../../../support/ledger.ts";

const durations = (...all: number[]) => all.map((durationMs) => ({ toolName: "read", durationMs }));

describe("usage", () => {
  test("counts, ranks and adds up what each tool did, the most called first", () => {
    using db = ledger({
      calls: [
        ...durations(30, 10, 20, 40),
        { toolName: "write", durationMs: 5, status: "error", outputTokens: 7 },
        { toolName: "write", durationMs: 7, status: "cancelled", outputTokens: 3 },
      ],
    });
    expect(usage(db, {})).toEqual({
      totals: {
        calls: 6,
        failures: 1,
        failureRate: 1 / 6,
        p50Ms: 10,
        p95Ms: 40,
        p99Ms: 40,
        maxMs: 40,
        totalMs: 112,
        outputTokens: 10,
        tools: 2,
        sessions: 0,
      },
      tools: [
        {
          toolName: "read",
          calls: 4,
          failures: 0,
          failureRate: 0,
          p50Ms: 20,
          p95Ms: 40,
          p99Ms: 40,
          maxMs: 40,
          totalMs: 100,
          outputTokens: 0,
        },
        {
          toolName: "write",
          calls: 2,
          failures: 1,
          failureRate: 0.5,
          p50Ms: 5,
          p95Ms: 7,
          p99Ms: 7,
          maxMs: 7,
          totalMs: 12,
          outputTokens: 10,
        },
      ],
      buckets: [],
    });
  });

  test("puts each call into its bucket of time; a bucket without calls is there too", () => {
    const at = (startedAt: number, status: "error" | "success" = "success") => ({
      toolName: "read",
      startedAt,
      status,
    });
    using db = ledger({
      calls: [at(T0 - 1), at(T0), at(T0 + HOUR - 1, "error"), at(T0 + 2 * HOUR), at(T0 + 3 * HOUR)],
    });
    const starts = [T0, T0 + HOUR, T0 + 2 * HOUR];
    expect(usage(db, { since: T0, until: T0 + 3 * HOUR }, starts)).toMatchObject({
      totals: { calls: 3, failures: 1 },
      buckets: [
        { startedAt: T0, calls: 2, failures: 1 },
        { startedAt: T0 + HOUR, calls: 0, failures: 0 },
        { startedAt: T0 + 2 * HOUR, calls: 1, failures: 0 },
      ],
    });
  });

  test("of nothing is nothing: no percentiles, no rate", () => {
    using db = ledger({});
    expect(usage(db, { since: T0, until: T0 + DAY }, [T0])).toEqual({
      totals: {
        calls: 0,
        failures: 0,
        failureRate: 0,
        p50Ms: null,
        p95Ms: null,
        p99Ms: null,
        maxMs: null,
        totalMs: 0,
        outputTokens: 0,
        tools: 0,
        sessions: 0,
      },
      tools: [],
      buckets: [{ startedAt: T0, calls: 0, failures: 0 }],
    });
    expect(usageTotals(db, {})).toEqual({
      calls: 0,
      failures: 0,
      failureRate: 0,
      outputTokens: 0,
      sessions: 0,
    });
  });

  test("reads more rows than one slice holds, each once", () => {
    const calls = Array.from({ length: 25_000 }, (_, index) => ({
      toolName: `tool_${index % 3}`,
      // Most in one second: a slice cannot be split by time alone.
      startedAt: T0 + (index < 20_000 ? 0 : index),
      durationMs: index,
    }));
    using db = ledger({ calls });
    const { totals, tools } = usage(db, {});
    expect(totals).toMatchObject({ calls: 25_000, p50Ms: 12_499, p95Ms: 23_749, maxMs: 24_999 });
    expect(tools.map(({ calls: count }) => count)).toEqual([8_334, 8_333, 8_333]);
  });
});

test("calls that crowd after an empty age are counted, however the time is sliced", () => {
  const db = createAnalyticsDb(":memory:");
  const insert = db.$client.prepare(
    `with recursive n(i) as (select 0 union all select i + 1 from n where i < ?)
     insert into tool_calls (id, tool_name, started_at_ms, duration_ms, status)
     select ? || i, 'echo', ?, 1, 'success' from n`,
  );
  insert.run(0, "in 1970 ", 0);
  // More of them in one millisecond than are read at once.
  insert.run(44_999, "now ", T0);
  insert.run(0, "in 2099 ", Date.UTC(2099, 0));
  expect(usage(db, {}).totals.calls).toBe(45_002);
  expect(usage(db, { since: T0 }, [T0]).buckets).toEqual([
    { startedAt: T0, calls: 45_001, failures: 0 },
  ]);
  db.close();
});

test("a token count below zero, as only another program writes it, is no failure", () => {
  using db = ledger({ calls: [{ toolName: "a", outputTokens: 7 }, { toolName: "a" }] });
  db.$client.run("update tool_calls set output_tokens = -3 where output_tokens is null");
  expect(usage(db, {}).totals).toMatchObject({ calls: 2, failures: 0, outputTokens: 7 });
});
