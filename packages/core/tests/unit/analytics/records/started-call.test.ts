import { describe, expect, test } from "bun:test";
import {
  abandoned,
  ended,
  knownFields,
  toStartedCall,
  withOutcome,
} from "../../../../src/analytics/records/started-call.ts";

const POLICY = { capturePayloads: true, maxPayloadLength: 1_000 };
const START = { toolName: "echo", sessionId: "s", clientName: "client", arguments: { a: 1 } };

const started = (metadata = START) => toStartedCall(metadata, 5_000, POLICY);

describe("a call that runs", () => {
  test("is abandoned if nothing follows, with its names and payloads", () => {
    expect(abandoned(started(), 12)).toEqual({
      toolName: "echo",
      sessionId: "s",
      clientName: "client",
      startedAt: 5_000,
      durationMs: 12,
      status: "abandoned",
      arguments: '{"a":1}',
    });
  });

  test("keeps the time that it names", () => {
    const { start } = toStartedCall({ ...START, startedAt: 7 }, 5_000, POLICY);
    expect(start.startedAt).toBe(7);
  });

  test("does not change when the host changes its objects", () => {
    const metadata = { ...START, arguments: { a: 1 } };
    const call = started(metadata);
    metadata.arguments.a = 2;
    metadata.toolName = "other";
    expect(abandoned(call, 1)).toMatchObject({ toolName: "echo", arguments: '{"a":1}' });
  });

  test("is refused without a name", () => {
    expect(() => started({ ...START, toolName: "" })).toThrow();
  });
});

describe("a call that ended", () => {
  test("has its outcome before its details, and no outcome that is none", () => {
    const call = started();
    expect(withOutcome(call, { status: "error", errorType: "x", outputBytes: 7 }, 3)).toMatchObject(
      {
        status: "error",
        errorType: "x",
        durationMs: 3,
      },
    );
    expect(withOutcome(call, { status: "error", outputBytes: 7 }, 3)).not.toHaveProperty(
      "outputBytes",
    );
    expect(() => withOutcome(call, { status: "no such status" as "error" }, 3)).toThrow();
  });

  test("has what was known at its start, unless its end says otherwise", () => {
    const call = ended(started(), { durationMs: 9, clientName: "other", result: [1] }, POLICY);
    expect(call).toMatchObject({
      toolName: "echo",
      sessionId: "s",
      clientName: "other",
      durationMs: 9,
      arguments: '{"a":1}',
      result: "[1]",
    });
    expect(ended(started(), { durationMs: 9, arguments: { b: 2 } }, POLICY).arguments).toBe(
      '{"b":2}',
    );
  });

  test("is refused if a field of its start or its end is invalid", () => {
    expect(() => ended(started(), { durationMs: -1 }, POLICY)).toThrow();
    const odd = toStartedCall({ ...START, inputBytes: "7" } as object, 1, POLICY);
    expect(() => ended(odd, { durationMs: 1 }, POLICY)).toThrow();
  });
});

test("only the fields of a call are read, each once", () => {
  const reads: string[] = [];
  const metadata = new Proxy(
    { toolName: "echo", unknown: 1 },
    {
      get: (target, key) => {
        reads.push(String(key));
        return Reflect.get(target, key);
      },
    },
  );
  expect(knownFields(metadata)).toEqual({ toolName: "echo" });
  expect(reads).toEqual([...new Set(reads)]);
  expect(reads).not.toContain("unknown");
  expect(knownFields(null)).toEqual({});
});
