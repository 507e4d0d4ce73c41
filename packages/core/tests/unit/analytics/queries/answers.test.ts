/** The questions whose answers fit on a page, with answers computed by hand. */
import { describe, expect, test } from "bun:test";
import { clients } from "../../../../src/analytics/queries/clients.ts";
import { confusion } from "../../../../src/analytics/queries/confusion.ts";
import { contextTax } from "../../../../src/analytics/queries/context-tax.ts";
import { definitionVersions } from "../../../../src/analytics/queries/definition-versions.ts";
import { errorClasses } from "../../../../src/analytics/queries/error-classes.ts";
import { fileHealth, recordingHealth } from "../../../../src/analytics/queries/health.ts";
import { prunable } from "../../../../src/analytics/queries/prunable.ts";
import { findSessions, latestSessions } from "../../../../src/analytics/queries/sessions.ts";
import { transitions } from "../../../../src/analytics/queries/transitions.ts";
import { DAY, HOUR, SECOND, T0, ledger } from "../../../support/ledger.ts";

describe("errorClasses", () => {
  test("groups failures by tool and kind, with the last message of each", () => {
    const error = (toolName: string, errorMessage: string, sessionId: string) =>
      ({ toolName, status: "error", errorType: "E", errorMessage, sessionId }) as const;
    using db = ledger({
      calls: [
        error("read", "first", "one"),
        error("read", "second", "two"),
        error("read", "third", "two"),
        { toolName: "read", status: "rejected", errorCode: -32_602 },
        { toolName: "read" },
        { toolName: "read", status: "cancelled" },
      ],
    });
    expect(errorClasses(db, {})).toEqual([
      {
        toolName: "read",
        status: "error",
        errorType: "E",
        errorCode: null,
        failures: 3,
        sessions: 2,
        lastAt: T0 + 2 * SECOND,
        lastMessage: "third",
        lastSessionId: "two",
      },
      {
        toolName: "read",
        status: "rejected",
        errorType: null,
        errorCode: -32_602,
        failures: 1,
        sessions: 0,
        lastAt: T0 + 3 * SECOND,
        lastMessage: null,
        lastSessionId: null,
      },
    ]);
  });
});

describe("sessions", () => {
  const db = () =>
    ledger({
      sessions: {
        "early-1": { startedAt: T0, endedAt: T0 + HOUR, endReason: "closed", clientName: "claude" },
        "late-2": { startedAt: T0 + DAY, kind: "connection" },
      },
      calls: [
        { toolName: "a", sessionId: "early-1", outputTokens: 5 },
        { toolName: "b", sessionId: "early-1", status: "error", outputTokens: 6 },
        { toolName: "a", sessionId: "late-2", startedAt: T0 + DAY },
      ],
    });

  test("are listed from the latest, with the counts of their calls", () => {
    using source = db();
    expect(latestSessions(source, {}, -1)).toMatchObject([
      {
        id: "late-2",
        kind: "connection",
        endedAt: null,
        calls: 1,
        failures: 0,
        lastCallAt: T0 + DAY,
      },
      {
        id: "early-1",
        endedAt: T0 + HOUR,
        calls: 2,
        failures: 1,
        outputTokens: 11,
        clientName: "claude",
      },
    ]);
    expect(latestSessions(source, {}, 1)).toHaveLength(1);
    expect(latestSessions(source, { statuses: ["error"] }, -1).map(({ id }) => id)).toEqual([
      "early-1",
    ]);
  });

  test("are found by their id, else by a part of it", () => {
    using source = db();
    expect(findSessions(source, "late-2").map(({ id }) => id)).toEqual(["late-2"]);
    expect(findSessions(source, "early").map(({ id }) => id)).toEqual(["early-1"]);
    expect(findSessions(source, "-").map(({ id }) => id)).toEqual(["late-2", "early-1"]);
    expect(findSessions(source, "%")).toEqual([]);
  });
});

test("clients counts by client, version and server", () => {
  using db = ledger({
    sessions: {
      one: {
        clientName: "claude",
        clientVersion: "2",
        serverName: "files",
        protocolVersion: "2025-11-25",
      },
      two: {
        clientName: "claude",
        clientVersion: "2",
        serverName: "files",
        protocolVersion: "2025-11-25",
      },
    },
    calls: [
      { toolName: "a", sessionId: "one", outputTokens: 3 },
      { toolName: "b", sessionId: "two", status: "error" },
      { toolName: "a" },
    ],
  });
  expect(clients(db, {})).toEqual([
    {
      clientName: "claude",
      clientVersion: "2",
      serverName: "files",
      protocolVersion: "2025-11-25",
      sessions: 2,
      calls: 2,
      failures: 1,
      failureRate: 0.5,
      tools: 2,
      outputTokens: 3,
      lastCallAt: T0 + SECOND,
    },
    {
      clientName: null,
      clientVersion: null,
      serverName: null,
      protocolVersion: null,
      sessions: 0,
      calls: 1,
      failures: 0,
      failureRate: 0,
      tools: 1,
      outputTokens: 0,
      lastCallAt: T0 + 2 * SECOND,
    },
  ]);
});

describe("transitions", () => {
  const call = (toolName: string, sessionId: string, seconds: number, others = {}) => ({
    toolName,
    sessionId,
    startedAt: T0 + seconds * SECOND,
    durationMs: 500,
    ...others,
  });
  const calls = [
    call("read", "one", 0, { status: "error" }),
    call("list", "one", 2),
    call("read", "one", 4),
    call("list", "one", 6),
    call("write", "two", 3),
    call("read", "two", 4),
    { toolName: "alone", startedAt: T0 + SECOND },
  ];

  test("counts which tool follows which in a session, not across sessions", () => {
    using db = ledger({ calls });
    expect(transitions(db, {})).toEqual([
      { from: "read", to: "list", count: 2, share: 1, afterFailure: 1, meanGapMs: 1_500 },
      { from: "list", to: "read", count: 1, share: 1, afterFailure: 0, meanGapMs: 1_500 },
      { from: "write", to: "read", count: 1, share: 1, afterFailure: 0, meanGapMs: 500 },
    ]);
  });

  test("of a tool are those from it and to it; its neighbours count although they are not asked for", () => {
    using db = ledger({ calls });
    expect(transitions(db, { tools: ["wr*"] }).map(({ from, to }) => [from, to])).toEqual([
      ["write", "read"],
    ]);
  });
});

describe("contextTax", () => {
  test("is the tokens that sessions carried, against the sessions that called the tool", () => {
    using db = ledger({
      definitions: [
        { hash: "used-1", toolName: "used", tokens: 100, seenAt: T0 },
        { hash: "used-2", toolName: "used", tokens: 150, seenAt: T0 + DAY },
        { hash: "unused-1", toolName: "unused", tokens: 40 },
      ],
      sessions: {
        one: { serverName: "s", definitionHashes: ["used-1", "unused-1"] },
        two: { serverName: "s", definitionHashes: ["used-2", "unused-1"] },
      },
      calls: [
        { toolName: "used", sessionId: "one" },
        { toolName: "used", sessionId: "one" },
        { toolName: "unused", sessionId: "elsewhere", serverName: "another" },
      ],
    });
    expect(contextTax(db, {})).toEqual([
      {
        toolName: "used",
        serverName: "s",
        definitionTokens: 150,
        sessions: 2,
        carriedTokens: 250,
        calls: 2,
        callingSessions: 1,
        unusedTokens: 125,
        lastCallAt: T0 + SECOND,
      },
      {
        toolName: "unused",
        serverName: "s",
        definitionTokens: 40,
        sessions: 2,
        carriedTokens: 80,
        calls: 0,
        callingSessions: 0,
        unusedTokens: 80,
        lastCallAt: null,
      },
    ]);
    expect(contextTax(db, { tools: ["unu*"] }).map(({ toolName }) => toolName)).toEqual(["unused"]);
    expect(contextTax(db, { since: T0 + 1 })).toEqual([]);
  });
});

describe("confusion", () => {
  const call = (
    toolName: string,
    status: "error" | "rejected" | "success" = "success",
    argumentHash?: string,
  ) => ({
    toolName,
    status,
    sessionId: "one",
    ...(argumentHash && { argumentHash }),
    ...(status === "rejected" && { errorType: "invalid_arguments" }),
  });

  test("finds the retries of rejected calls, and whether they came right", () => {
    using db = ledger({
      calls: [
        call("a", "rejected"),
        call("a", "rejected"),
        call("a"),
        call("a", "rejected"),
        call("b"),
      ],
    });
    expect(confusion(db, {}).retries).toEqual([
      { toolName: "a", rejections: 3, retried: 2, recovered: 1, errorType: "invalid_arguments" },
    ]);
  });

  test("finds runs of three or more equal calls", () => {
    const poll = (hash: string) => call("poll", "success", hash);
    using db = ledger({
      calls: [
        ...Array.from("xxxx", poll),
        ...["y", "y"].map(poll),
        call("other", "success", "y"),
        ...["y", "y", "y"].map(poll),
        // Without a hash nobody knows.
        call("blind"),
        call("blind"),
        call("blind"),
      ],
    });
    expect(confusion(db, {}).loops).toEqual([
      { toolName: "poll", loops: 2, calls: 7, longest: 4, sessionId: "one" },
    ]);
  });

  test("does not take a loop across sessions", () => {
    const calls = ["one", "two", "three"].map((sessionId) => ({
      ...call("poll", "success", "x"),
      sessionId,
    }));
    using db = ledger({ calls });
    expect(confusion(db, {})).toEqual({ retries: [], loops: [], substitutions: [] });
  });

  test("finds the tool that did what another failed to do", () => {
    using db = ledger({
      calls: [
        call("read", "error"),
        call("list"),
        call("read", "error"),
        call("find", "error"),
        call("list"),
      ],
    });
    expect(confusion(db, {}).substitutions).toEqual([
      { from: "read", to: "list", count: 1, share: 0.5 },
      { from: "find", to: "list", count: 1, share: 1 },
    ]);
  });
});

test("definitionVersions tells the calls of each version apart, the latest first", () => {
  using db = ledger({
    definitions: [
      { hash: "old", toolName: "a", tokens: 10, bytes: 40 },
      { hash: "new", toolName: "a", tokens: 20, bytes: 80, seenAt: T0 + DAY },
      { hash: "other", toolName: "b" },
    ],
    calls: [
      { toolName: "a", definitionHash: "old", status: "rejected", durationMs: 1 },
      { toolName: "a", definitionHash: "old", durationMs: 9, outputTokens: 4 },
      { toolName: "b", definitionHash: "other" },
    ],
  });
  expect(definitionVersions(db, "a", {})).toMatchObject([
    { hash: "new", tokens: 20, firstSeenAt: T0 + DAY, calls: 0, p95Ms: null, rejectionRate: 0 },
    {
      hash: "old",
      tokens: 10,
      bytes: 40,
      calls: 2,
      failures: 1,
      p95Ms: 9,
      rejectionRate: 0.5,
      outputTokens: 4,
    },
  ]);
});

describe("health", () => {
  test("of recording is the sum of what the recorders say, and the worst of it", () => {
    using db = ledger({});
    const insert = db.$client.prepare(
      `insert into recorder_health (recorder_id, hour_started_at_ms, process_id, accepted, written, dropped_invalid,
         dropped_queue_full, dropped_unwritable, dropped_unknown_session, dropped_shut_down, failed_flushes, retries,
         unjournaled, recovered, recording_ms, queue_peak, commit_p99_ms, lock_wait_max_ms, journal_bytes, last_error,
         last_error_at_ms) values (?, ?, 1, ?, ?, 1, 2, 0, 0, 0, 0, 3, 0, 0, ?, ?, ?, null, 0, ?, ?)`,
    );
    insert.run("a", T0, 10, 9, 4, 7, 1.5, "locked", T0 + 5);
    insert.run("b", T0 + HOUR, 30, 30, 4, 9, 0.5, "full", T0 + 3);
    insert.run("c", T0 - HOUR, 99, 99, 99, 99, 99, null, null);
    expect(recordingHealth(db, { since: T0 + 60_000, until: T0 + DAY })).toEqual({
      recorders: 2,
      accepted: 40,
      written: 39,
      dropped: { invalid: 2, queue_full: 4, unwritable: 0, unknown_session: 0, shut_down: 0 },
      failedFlushes: 0,
      retries: 6,
      unjournaled: 0,
      recovered: 0,
      recordingMs: 8,
      recordingMsPerRecord: 0.2,
      queuePeak: 9,
      commitP99Ms: 1.5,
      commitMaxMs: null,
      lockWaitMaxMs: null,
      lastError: "locked",
      lastErrorAt: T0 + 5,
    });
    expect(recordingHealth(db, { since: T0 + DAY })).toMatchObject({
      accepted: 0,
      recordingMsPerRecord: null,
      lastError: null,
    });
  });

  test("of the file is what it holds", () => {
    using db = ledger({
      calls: [{ toolName: "a", sessionId: "s" }, { toolName: "b" }],
      definitions: [{ hash: "h" }],
    });
    const health = fileHealth(db);
    expect(health).toMatchObject({
      calls: 2,
      sessions: 1,
      definitions: 1,
      firstCallAt: T0,
      lastCallAt: T0 + SECOND,
      freeBytes: 0,
    });
    expect(health.bytes).toBeGreaterThan(4_096);
  });
});

test("prunable tells what a retention policy would remove", () => {
  const calls = Array.from({ length: 10 }, (_, day) => ({
    toolName: "a",
    startedAt: T0 + day * DAY,
  }));
  using db = ledger({ calls });
  expect(prunable(db, { maxAgeDays: 3 }, T0 + 9 * DAY)).toMatchObject({ calls: 6, allCalls: 10 });
  // A clock that is ahead removes nothing by itself: age counts from the newest call.
  expect(prunable(db, { maxAgeDays: 3 }, T0 + 99 * DAY)).toMatchObject({ calls: 6 });
  expect(prunable(db, {}, T0)).toMatchObject({ calls: 0, bytes: 0 });
  const { allBytes } = prunable(db, {}, T0);
  expect(prunable(db, { maxSizeMb: allBytes / 2_000_000 }, T0)).toMatchObject({ calls: 5 });
});
