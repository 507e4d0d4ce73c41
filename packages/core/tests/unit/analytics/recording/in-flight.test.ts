import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { resolveConfig } from "../../../../src/analytics/recording/config.ts";
import { CallsInFlight } from "../../../../src/analytics/recording/in-flight.ts";
import { decode } from "../../../../src/analytics/records/record.ts";
import { elapse } from "../../../support/event-loop.ts";

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

/** Tool and status of a call's line. */
function shown(line: string): string {
  const record = decode(line);
  return record.kind === "tool_call" ? `${record.row.toolName} ${record.row.status}` : record.kind;
}

/** Calls in flight, and what became of their lines: journalled, accepted, or settled without an end. */
function setUp(config = {}) {
  const log: string[] = [];
  const refused: string[] = [];
  const calls = new CallsInFlight(
    resolveConfig(config),
    {
      follow: (id, line) => void log.push(`follow ${shown(line)} ${id.length}`),
      accept: (line, callId) =>
        void log.push(`accept ${shown(line)}${callId ? "" : " without id"}`),
      settle: () => void log.push("settle"),
    },
    { invalid: (what) => void refused.push(what), took: () => undefined },
  );
  return { calls, log, refused };
}

describe("a call", () => {
  test("is in the journal from its start as abandoned, and accepted once, with its first end", () => {
    const { calls, log } = setUp();
    const call = calls.start({ toolName: "echo" });
    expect(log).toEqual(["follow echo abandoned 36"]);
    expect(calls.size).toBe(1);
    call.end({ status: "error" });
    call.end({ status: "success" });
    expect(log.slice(1)).toEqual(["accept echo error"]);
    expect(calls.size).toBe(0);
  });

  test("that is named later is followed 5 ms later, if it still runs", async () => {
    const { calls, log } = setUp();
    calls.start(() => ({ toolName: "late" }));
    const over = calls.start(() => ({ toolName: "over" }));
    over.end();
    expect(log).toEqual([]);
    await elapse(5, 1);
    expect(log).toEqual(["follow late abandoned 36", "accept over success"]);
  });

  test("whose details come later is journalled with its outcome at once", async () => {
    const { calls, log } = setUp();
    const call = calls.start({ toolName: "echo" });
    call.end({ status: "error" }, () => ({ outputBytes: 7 }));
    expect(log).toEqual(["follow echo abandoned 36", "follow echo error 36"]);
    await elapse(5, 1);
    expect(log.slice(2)).toEqual(["accept echo error"]);
  });

  test("keeps its outcome if its deferred details throw", async () => {
    const { calls, log, refused } = setUp();
    const call = calls.start({ toolName: "echo" });
    call.end({ status: "error" }, () => {
      throw new Error("no details");
    });
    await elapse(5, 1);
    expect(log.at(-1)).toBe("accept echo error");
    expect(refused).toEqual(["a part of a tool call"]);
  });

  test("without a name is refused, and its end does nothing", () => {
    const { calls, log, refused } = setUp();
    calls.start({ toolName: "" }).end();
    expect(refused).toEqual(["the start of a tool call"]);
    expect([log, calls.size]).toEqual([[], 0]);
  });

  test("whose end is invalid is refused and leaves the journal", () => {
    const { calls, log, refused } = setUp();
    calls.start({ toolName: "echo" }).end({ durationMs: -1 });
    expect(refused).toHaveLength(1);
    expect(log.at(-1)).toBe("settle");
  });

  test("costs nothing while recording is off", () => {
    const { calls, log } = setUp({ enabled: false });
    const call = calls.start({ toolName: "echo" });
    call.end();
    expect([log, calls.size]).toEqual([[], 0]);
  });
});

describe("all calls", () => {
  test("are collected at once on request, in their order", () => {
    const { calls, log } = setUp();
    calls.start(() => ({ toolName: "first" })).end();
    calls.start(() => ({ toolName: "second" }));
    calls.catchUp();
    expect(log).toEqual(["accept first success", "follow second abandoned 36"]);
    calls.catchUp();
    expect(log).toHaveLength(2);
  });

  test("that still run are returned as abandoned, with the time that they ran, and followed no more", () => {
    const { calls } = setUp();
    const running = calls.start({ toolName: "running" });
    calls.start({ toolName: "ended" }).end();
    jest.advanceTimersByTime(40);
    const lines = calls.abandon();
    expect(lines.map(({ line }) => shown(line))).toEqual(["running abandoned"]);
    expect(lines[0]?.callId).toBe(running.id);
    expect(decode(lines[0]?.line ?? "")).toMatchObject({ row: { durationMs: 40 } });
    expect(calls.abandon()).toEqual([]);
  });

  test("that were named later and still run are returned as abandoned, too", () => {
    const { calls } = setUp();
    calls.start(() => ({ toolName: "late" }));
    expect(calls.abandon().map(({ line }) => shown(line))).toEqual(["late abandoned"]);
  });

  test("are followed up to 10,000; one beyond is accepted at its end", () => {
    const { calls, log } = setUp();
    for (let i = 0; i < 10_000; i++) calls.start({ toolName: "echo" });
    const beyond = calls.start({ toolName: "beyond" });
    expect([calls.size, log.length]).toEqual([10_000, 10_000]);
    beyond.end();
    expect(log.at(-1)).toBe("accept beyond success");
  });

  test("tell whether any of them names a session", () => {
    const { calls } = setUp();
    calls.start({ toolName: "echo" });
    expect(calls.hasSessions).toBe(false);
    calls.start({ toolName: "echo", sessionId: "s" });
    expect(calls.hasSessions).toBe(true);
  });
});
