import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { toolCalls, type ToolCallMetadata } from "../../../src/analytics/index.ts";
import { CALL, START, serviceOnMemoryWriter, serviceOnSqlite } from "../../support/service.ts";

beforeEach(() => {
  jest.useFakeTimers({ now: START });
});

afterEach(() => {
  jest.useRealTimers();
});

describe("bad input", () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  let deep: unknown = {};
  for (let i = 0; i < 200_000; i++) deep = { deep };

  // What nobody would pass, at each place where something is taken in.
  const hostile: readonly [string, unknown][] = [
    ["a bigint", 10n],
    ["a bigint over 64 bits", 2n ** 70n],
    ["a circular object", circular],
    [
      "a throwing getter",
      Object.defineProperty({}, "toolName", {
        enumerable: true,
        get: () => {
          throw new Error("getter");
        },
      }),
    ],
    [
      "a throwing toJSON",
      {
        toJSON: () => {
          throw new Error("toJSON");
        },
      },
    ],
    ["an undefined toJSON", { toJSON: () => undefined }],
    ["a revoked proxy", revoked.proxy],
    [
      "a trapping proxy",
      new Proxy(
        {},
        {
          get: () => {
            throw new Error("trap");
          },
          ownKeys: () => {
            throw new Error("trap");
          },
        },
      ),
    ],
    ["a 200,000-deep object", deep],
    ["a symbol", Symbol("s")],
    ["a function", () => 1],
    ["undefined", undefined],
    ["null", null],
    ["NaN", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["minus zero", -0],
    ["an invalid date", new Date(Number.NaN)],
    ["a map", new Map([[1, 2]])],
    ["a set", new Set([1])],
    ["an error", new Error("e")],
    ["a buffer", Buffer.from("b")],
    ["bytes", new Uint8Array(4)],
    ["a 50 MB text", "x".repeat(50_000_000)],
    ["a lone surrogate", "\ud800"],
    ["a NUL", "a\0b"],
    ["an object without prototype", Object.assign(Object.create(null), { a: 1 })],
    ["a __proto__ key", JSON.parse('{"__proto__": {"polluted": true}}')],
    [
      "a getter that throws a revoked proxy",
      Object.defineProperty({}, "toolName", {
        enumerable: true,
        get: () => {
          throw revoked.proxy;
        },
      }),
    ],
    [
      "an object that throws null",
      Object.defineProperty({}, "durationMs", {
        enumerable: true,
        get: () => {
          throw null;
        },
      }),
    ],
    ["an object bound by position", { 0: "a" }],
    ["a boolean", true],
    ["10,000 keys", Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key_${i}`, i]))],
    ["SQL", "'; drop table tool_calls; --"],
    ["emoji and right-to-left text", "👩‍👩‍👧 مرحبا"],
  ];

  test.each(hostile)("%s neither throws nor loses the records around it", async (_name, value) => {
    const { db, telemetry } = serviceOnSqlite({ capturePayloads: true });
    // JavaScript lets a host do what the compiler would not.
    const unchecked =
      (method: "recordToolCall" | "startSession" | "endSession") =>
      (...values: unknown[]): unknown =>
        Reflect.apply(telemetry[method], telemetry, values);
    const record = unchecked("recordToolCall");
    const start = unchecked("startSession");
    const end = unchecked("endSession");
    telemetry.recordToolCall({ ...CALL, toolName: "before" });
    record(value);
    for (const field of Object.keys(FIELDS)) record({ ...CALL, [field]: value });
    record({ ...CALL, attributes: { value }, arguments: { value }, result: [value] });
    start(value, value);
    start("s", value);
    start("s", { clientName: value, attributes: { value } });
    end(value, value);
    end("s", value);
    telemetry.recordToolCall({ ...CALL, toolName: "after" });
    expect(await telemetry.flush()).toEqual({ outcome: "written", remaining: 0 });
    const names = db
      .select()
      .from(toolCalls)
      .all()
      .map(({ toolName }) => toolName);
    expect([names.at(0), names.at(-1)]).toEqual(["before", "after"]);
    expect(telemetry.stats.dropped.unwritable).toBe(0);
    expect(Object.prototype).not.toHaveProperty("polluted");
    expect(
      db.$client
        .query(
          "select count(*) from tool_calls where not json_valid(coalesce(attributes, '1')) or not json_valid(coalesce(result, '1'))",
        )
        .values(),
    ).toEqual([[0]]);
  });

  test("refused metadata is counted, and logged once a minute with what was expected", () => {
    const { telemetry, logger } = serviceOnMemoryWriter();
    for (let i = 0; i < 100; i++)
      telemetry.recordToolCall({ toolName: "", durationMs: Number.NaN });
    expect(telemetry.stats).toMatchObject({ accepted: 0, dropped: { invalid: 100 } });
    const warnings = logger.lines.filter((line) => line.startsWith("warn"));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("toolName");
    expect(warnings[0]).toContain("durationMs");
    jest.advanceTimersByTime(60_000);
    telemetry.recordToolCall({ toolName: "", durationMs: 1 });
    expect(logger.lines.at(-1)).toContain("99 more");
  });

  test("what the caller changes after recording is not stored", async () => {
    const { db, telemetry } = serviceOnSqlite({ capturePayloads: true });
    const metadata = { ...CALL, attributes: { a: 1 }, arguments: { path: "x" } };
    telemetry.recordToolCall(metadata);
    metadata.attributes.a = 2;
    metadata.arguments.path = "y";
    metadata.toolName = "changed";
    await telemetry.flush();
    expect(db.select().from(toolCalls).all()).toMatchObject([
      { toolName: "echo", attributes: { a: 1 }, arguments: { path: "x" } },
    ]);
  });

  test("payloads are stored only on request", async () => {
    const { db, telemetry } = serviceOnSqlite();
    telemetry.recordToolCall({ ...CALL, arguments: { secret: 1 }, result: "secret" });
    await telemetry.flush();
    expect(db.select().from(toolCalls).all()).toMatchObject([{ arguments: null, result: null }]);
  });
});

/** Each field of the metadata, so that a new one is tried with hostile values too. */
const FIELDS = {
  toolName: 1,
  durationMs: 1,
  sessionId: 1,
  startedAt: 1,
  status: 1,
  errorType: 1,
  errorCode: 1,
  errorMessage: 1,
  inputBytes: 1,
  outputBytes: 1,
  inputTokens: 1,
  outputTokens: 1,
  tokenMethod: 1,
  outputContentTypes: 1,
  cacheHit: 1,
  argumentHash: 1,
  argumentShapeHash: 1,
  definitionHash: 1,
  continuedFrom: 1,
  requestId: 1,
  traceId: 1,
  parentSpanId: 1,
  clientName: 1,
  clientVersion: 1,
  serverName: 1,
  serverVersion: 1,
  protocolVersion: 1,
  transport: 1,
  arguments: 1,
  result: 1,
  attributes: 1,
} satisfies Record<keyof ToolCallMetadata, 1>;
