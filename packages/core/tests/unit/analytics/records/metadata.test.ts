import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  type SessionDetails,
  type ToolCallMetadata,
  sessionDetailsSchema,
  sessionIdSchema,
  sessionReasonSchema,
  toolCallMetadataSchema,
} from "../../../../src/analytics/records/metadata.ts";
import { toSessionEnd, toSessionStart } from "../../../../src/analytics/records/session.ts";
import { type PayloadPolicy, toCallDetails } from "../../../../src/analytics/records/details.ts";
import { MAX_ATTRIBUTES_LENGTH } from "../../../../src/analytics/records/texts.ts";
import { type ToolCallRow, toToolCallRow } from "../../../../src/analytics/records/row.ts";
import { MAX_MESSAGE_LENGTH, MAX_NAME_LENGTH } from "../../../../src/analytics/records/texts.ts";
import { CONTENT_TYPES, TOOL_CALL_STATUSES } from "../../../../src/analytics/vocabulary.ts";

const NOW = Date.UTC(2026, 0, 1);
const CALL: ToolCallMetadata = { toolName: "echo", durationMs: 1.5 };
const NO_PAYLOADS: PayloadPolicy = { capturePayloads: false, maxPayloadLength: 1_000 };
const PAYLOADS: PayloadPolicy = { capturePayloads: true, maxPayloadLength: 1_000 };

/** The row of a call as the service makes it. */
function rowOf(metadata: ToolCallMetadata, policy = NO_PAYLOADS, now = NOW): ToolCallRow {
  const details = toCallDetails(toolCallMetadataSchema.parse(metadata), policy);
  return toToolCallRow(Bun.randomUUIDv7("hex", now), now, details);
}

function sessionOf(sessionId: string, details: SessionDetails = {}) {
  return toSessionStart(sessionId, "recorder", sessionDetailsSchema.parse(details), NOW);
}

/** The fields that are names and identifiers: cut at `MAX_NAME_LENGTH`, an empty one stored as none. */
const NAMES = [
  "sessionId",
  "errorType",
  "requestId",
  "traceId",
  "parentSpanId",
  "tokenMethod",
  "argumentHash",
  "argumentShapeHash",
  "definitionHash",
  "continuedFrom",
  "clientName",
  "clientVersion",
  "serverName",
  "serverVersion",
  "protocolVersion",
  "transport",
] as const satisfies readonly (keyof ToolCallMetadata)[];

const COUNTS = [
  "inputBytes",
  "outputBytes",
  "inputTokens",
  "outputTokens",
] as const satisfies readonly (keyof ToolCallMetadata)[];

describe("toToolCallRow()", () => {
  test("fills in what the caller does not say", () => {
    expect(rowOf(CALL)).toEqual({
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/),
      toolName: "echo",
      sessionId: null,
      // Whole milliseconds: the call ended now, after 1.5 ms.
      startedAt: NOW - 1,
      durationMs: 1.5,
      status: "success",
      errorType: null,
      errorCode: null,
      errorMessage: null,
      inputBytes: null,
      outputBytes: null,
      inputTokens: null,
      outputTokens: null,
      tokenMethod: null,
      outputContentTypes: null,
      cacheHit: null,
      argumentHash: null,
      argumentShapeHash: null,
      definitionHash: null,
      continuedFrom: null,
      requestId: null,
      traceId: null,
      parentSpanId: null,
      clientName: null,
      clientVersion: null,
      serverName: null,
      serverVersion: null,
      protocolVersion: null,
      transport: null,
      arguments: null,
      result: null,
      attributes: null,
    });
  });

  test("keeps all that the caller says", () => {
    const said = {
      toolName: "read_file",
      sessionId: "session",
      startedAt: NOW - 70_000,
      durationMs: 0.25,
      status: "error",
      errorType: "TypeError",
      errorCode: -32_602,
      errorMessage: "no such file",
      inputBytes: 0,
      outputBytes: 2,
      inputTokens: 3,
      outputTokens: Number.MAX_SAFE_INTEGER,
      tokenMethod: "characters/4",
      argumentHash: "a1",
      argumentShapeHash: "b2",
      definitionHash: "c3",
      continuedFrom: "an-earlier-call",
      requestId: "request",
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      parentSpanId: "00f067aa0ba902b7",
      clientName: "client",
      clientVersion: "1.0",
      serverName: "server",
      serverVersion: "2.0",
      protocolVersion: "2025-06-18",
      transport: "stdio",
    } as const satisfies ToolCallMetadata;
    const payloads = { arguments: { path: "/x" }, result: [1, null], attributes: { a: { b: 1 } } };
    const outputContentTypes = { text: 1, image: 2 };
    expect(rowOf({ ...said, ...payloads, outputContentTypes, cacheHit: true }, PAYLOADS)).toEqual({
      ...said,
      outputContentTypes: '{"text":1,"image":2}',
      id: expect.any(String),
      cacheHit: 1,
      arguments: '{"path":"/x"}',
      result: "[1,null]",
      attributes: '{"a":{"b":1}}',
    });
  });

  test.each([
    ["the number 0", 0, "0"],
    ['the text "0"', "0", "0"],
    ["a text", "a-1", "a-1"],
    ["a number", 42, "42"],
    ["minus zero", -0, "0"],
    ["an empty text", "", null],
  ])("stores a request id as text: %s", (_name, requestId, stored) => {
    expect(rowOf({ ...CALL, requestId }).requestId).toBe(stored);
  });

  test.each([
    ["a miss", false, 0],
    ["a hit", true, 1],
  ])("stores a boolean as SQLite does: %s", (_name, cacheHit, stored) => {
    expect(rowOf({ ...CALL, cacheHit }).cacheHit).toBe(stored);
  });

  test("keeps fractions of a duration, and a start in whole milliseconds that is not before 1970", () => {
    expect(rowOf({ ...CALL, durationMs: 0.0001 })).toMatchObject({
      durationMs: 0.0001,
      startedAt: NOW,
    });
    expect(rowOf({ ...CALL, startedAt: 1_000.6 }).startedAt).toBe(1_001);
    expect(rowOf({ ...CALL, durationMs: NOW * 2 }).startedAt).toBe(0);
    expect(rowOf({ ...CALL, durationMs: 0, startedAt: 0 })).toMatchObject({
      durationMs: 0,
      startedAt: 0,
    });
  });

  test("takes payloads only when they are captured", () => {
    const metadata = { ...CALL, arguments: { secret: 1 }, result: "secret", attributes: { a: 1 } };
    expect(rowOf(metadata)).toMatchObject({ arguments: null, result: null, attributes: '{"a":1}' });
    expect(rowOf(metadata, PAYLOADS)).toMatchObject({
      arguments: '{"secret":1}',
      result: '"secret"',
    });
  });

  test("does not even read a payload that is not captured", () => {
    const unreadable = {
      toJSON: () => {
        throw new Error("read");
      },
    };
    expect(rowOf({ ...CALL, arguments: unreadable }).arguments).toBeNull();
  });

  test("cuts payloads and attributes each at its own length", () => {
    const row = rowOf(
      { ...CALL, arguments: 1, result: "x".repeat(2_000), attributes: { a: "x".repeat(20_000) } },
      PAYLOADS,
    );
    expect(row.arguments).toBe("1");
    expect(JSON.parse(row.result ?? "")).toEqual({
      $truncated: expect.stringMatching(/^"x{900,}$/),
      length: 2_002,
    });
    expect(JSON.parse(row.attributes ?? "")).toMatchObject({
      $truncated: expect.stringMatching(/^\{"a":"x+$/),
      length: 20_008,
    });
    expect(row.attributes?.length).toBeWithin(
      MAX_ATTRIBUTES_LENGTH - 60,
      MAX_ATTRIBUTES_LENGTH + 1,
    );
  });

  test("ignores unknown keys", () => {
    const metadata = { ...CALL, color: "red" };
    expect(rowOf(metadata)).not.toHaveProperty("color");
  });

  test("takes copies: what the caller changes later does not reach the row", () => {
    const metadata = {
      ...CALL,
      sessionId: "s",
      arguments: { list: [1] },
      attributes: { nested: { a: 1 } },
    };
    const row = rowOf(metadata, PAYLOADS);
    const before = { ...row };
    metadata.toolName = "changed";
    metadata.sessionId = "changed";
    metadata.arguments.list.push(2);
    metadata.attributes.nested.a = 2;
    expect(row).toEqual(before);
    expect(row).toMatchObject({ arguments: '{"list":[1]}', attributes: '{"nested":{"a":1}}' });
  });

  test("gives ids that are unique and rise with time, within one millisecond too", () => {
    // Milliseconds of its own: in each of them an id has room for some 2,000 successors.
    const milliseconds = [1, 2, 3].map((i) => NOW + 1_000_000 + i);
    const ids = milliseconds.flatMap((now) =>
      Array.from({ length: 2_000 }, () => rowOf(CALL, NO_PAYLOADS, now).id),
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(ids.toSorted());
    const read = ids.map((id) => Number.parseInt(id.replace("-", "").slice(0, 12), 16));
    expect([...new Set(read)]).toEqual(milliseconds);
  });
});

describe("a text", () => {
  test.each(["toolName", ...NAMES] as const)("%s is cut at 256, not refused", (field) => {
    const fits = "x".repeat(256);
    expect(rowOf({ ...CALL, [field]: fits })[field]).toBe(fits);
    expect(rowOf({ ...CALL, [field]: `${fits}y` })[field]).toBe(fits);
  });

  test.each(NAMES)("%s is stored as none when it is empty", (field) => {
    expect(rowOf({ ...CALL, [field]: "" })[field]).toBeNull();
  });

  test("errorMessage is cut at 4,096 and may be empty", () => {
    const fits = "x".repeat(4_096);
    expect(rowOf({ ...CALL, errorMessage: fits }).errorMessage).toBe(fits);
    expect(rowOf({ ...CALL, errorMessage: `${fits}y` }).errorMessage).toBe(fits);
    expect(rowOf({ ...CALL, errorMessage: "x".repeat(50_000_000) }).errorMessage).toBe(fits);
    expect(rowOf({ ...CALL, errorMessage: "" }).errorMessage).toBe("");
  });

  test.each([
    ["keeps emoji and right-to-left text", "👩‍👩‍👧 مرحبا", "👩‍👩‍👧 مرحبا"],
    ["keeps SQL as it is", "'; drop table t; --", "'; drop table t; --"],
    ["replaces a NUL, which ends a text for SQLite", "a\0b\0", "a\ufffdb\ufffd"],
    ["replaces half a surrogate pair, which is not UTF-8", "a\ud83d", "a\ufffd"],
    ["replaces the other half too", "\ude00b", "\ufffdb"],
    [
      "is not cut inside of a surrogate pair",
      `${"x".repeat(MAX_NAME_LENGTH - 1)}😀`,
      `${"x".repeat(MAX_NAME_LENGTH - 1)}\ufffd`,
    ],
    [
      "keeps a surrogate pair that ends at the maximum",
      `${"x".repeat(MAX_NAME_LENGTH - 2)}😀y`,
      `${"x".repeat(MAX_NAME_LENGTH - 2)}😀`,
    ],
  ])("%s", (_name, text, stored) => {
    expect(rowOf({ ...CALL, toolName: text }).toolName).toBe(stored);
    expect(rowOf({ ...CALL, errorType: text }).errorType).toBe(stored);
  });

  test("names one session the same way wherever it is named", () => {
    const sessionId = `a\0${"😀".repeat(300)}`;
    const { id } = sessionOf(sessionId);
    expect(id).toHaveLength(MAX_NAME_LENGTH);
    expect(rowOf({ ...CALL, sessionId }).sessionId).toBe(id);
    expect(toSessionEnd(sessionId, null, NOW).sessionId).toBe(id);
  });
});

describe("toolCallMetadataSchema", () => {
  test.each<[string, Record<string, unknown>]>([
    ["no tool name", { toolName: undefined }],
    ["an empty tool name", { toolName: "" }],
    ["a tool name that is no text", { toolName: 7 }],
    ["no duration", { durationMs: undefined }],
    ["a duration of NaN", { durationMs: Number.NaN }],
    ["an infinite duration", { durationMs: Number.POSITIVE_INFINITY }],
    ["a negative duration", { durationMs: -0.1 }],
    ["a duration as text", { durationMs: "5" }],
    ["a duration as bigint", { durationMs: 5n }],
    ["a start after the year 9999", { startedAt: 253_402_300_800_000 }],
    ["a negative start", { startedAt: -1 }],
    ["a start of NaN", { startedAt: Number.NaN }],
    ["a start as a date", { startedAt: new Date(0) }],
    ["an unknown status", { status: "failed" }],
    ["a fractional error code", { errorCode: 1.5 }],
    ["an error code over 2^53", { errorCode: 2 ** 53 }],
    ["a cache hit that is no boolean", { cacheHit: 1 }],
    ["a request id of NaN", { requestId: Number.NaN }],
    ["a request id that is an object", { requestId: {} }],
    ["a session id that is a symbol", { sessionId: Symbol("s") }],
    ["null for a name", { clientName: null }],
    ["attributes that are a list", { attributes: [1] }],
    ["attributes that are a map", { attributes: new Map() }],
    ["attributes that are a text", { attributes: "a" }],
    ...COUNTS.flatMap((field): [string, Record<string, unknown>][] => [
      [`a fractional ${field}`, { [field]: 1.5 }],
      [`a negative ${field}`, { [field]: -1 }],
      [`${field} of NaN`, { [field]: Number.NaN }],
      [`an infinite ${field}`, { [field]: Number.POSITIVE_INFINITY }],
    ]),
  ])("refuses %s, and names the field", (_name, wrong) => {
    const { error } = toolCallMetadataSchema.safeParse({ ...CALL, ...wrong });
    expect(error?.issues.map(({ path }) => path)).toEqual([Object.keys(wrong)]);
  });

  test.each([
    ["nothing", undefined],
    ["null", null],
    ["a text", "call"],
    ["a list", [CALL]],
  ])("refuses %s in place of metadata", (_name, value) => {
    expect(toolCallMetadataSchema.safeParse(value).success).toBe(false);
  });

  test.each(TOOL_CALL_STATUSES)("knows the status %s", (status) => {
    expect(rowOf({ ...CALL, status }).status).toBe(status);
  });

  test("makes a row of plain values within the caps from any valid metadata", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 600 }),
      fc.string({ unit: fc.constantFrom("a", "\0", "\ud83d", "\ude00", "😀"), maxLength: 600 }),
      fc.constant("x".repeat(5_000)),
    );
    const count = fc.nat(Number.MAX_SAFE_INTEGER);
    const duration = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });
    const metadata = fc.record<ToolCallMetadata, "toolName" | "durationMs">(
      {
        toolName: text.filter((name) => name !== ""),
        durationMs: duration,
        startedAt: fc.double({ min: 0, max: 253_402_300_799_999, noNaN: true }),
        status: fc.constantFrom(...TOOL_CALL_STATUSES),
        errorCode: fc.maxSafeInteger(),
        errorMessage: text,
        inputBytes: count,
        outputBytes: count,
        inputTokens: count,
        outputTokens: count,
        tokenMethod: text,
        outputContentTypes: fc.dictionary(fc.constantFrom(...CONTENT_TYPES), count),
        cacheHit: fc.boolean(),
        argumentHash: text,
        argumentShapeHash: text,
        definitionHash: text,
        continuedFrom: text,
        requestId: fc.oneof(text, duration),
        sessionId: text,
        errorType: text,
        traceId: text,
        parentSpanId: text,
        clientName: text,
        clientVersion: text,
        serverName: text,
        serverVersion: text,
        protocolVersion: text,
        transport: text,
        arguments: fc.anything({ withBigInt: true, withMap: true }),
        result: fc.anything({ withBigInt: true, withNullPrototype: true }),
        attributes: fc.dictionary(fc.string(), fc.anything({ withBigInt: true })),
      },
      { requiredKeys: ["toolName", "durationMs"] },
    );
    fc.assert(
      fc.property(metadata, (valid) => {
        const row = rowOf(valid, PAYLOADS);
        for (const value of Object.values(row)) {
          const isPlain = value === null || typeof value === "string" || Number.isFinite(value);
          if (!isPlain) throw new Error(`Expected a plain value, got ${String(value)}`);
        }
        for (const field of ["toolName", ...NAMES] as const) {
          expect(row[field]?.length ?? 0).toBeLessThanOrEqual(MAX_NAME_LENGTH);
          expect(row[field] ?? "").not.toContain("\0");
          expect((row[field] ?? "").isWellFormed()).toBe(true);
        }
        expect(row.errorMessage?.length ?? 0).toBeLessThanOrEqual(MAX_MESSAGE_LENGTH);
        expect(row.startedAt).toBe(Math.round(row.startedAt));
        expect(row.startedAt).toBeGreaterThanOrEqual(0);
        for (const json of [row.arguments, row.result, row.attributes]) JSON.parse(json ?? "null");
        expect(row.arguments?.length ?? 0).toBeLessThan(2_100);
      }),
      { numRuns: 300 },
    );
  });
});

describe("toSessionStart()", () => {
  test("fills in what the caller does not say", () => {
    expect(sessionOf("s")).toEqual({
      id: "s",
      recordedAt: NOW,
      recorderId: "recorder",
      kind: null,
      startedAt: NOW,
      clientName: null,
      clientVersion: null,
      serverName: null,
      serverVersion: null,
      protocolVersion: null,
      transport: null,
      attributes: null,
    });
  });

  test("keeps what the caller says, cut like that of a call", () => {
    const details = {
      startedAt: 5.4,
      kind: "connection" as const,
      clientName: "c".repeat(300),
      clientVersion: "1",
      serverName: "a\0b",
      serverVersion: "",
      protocolVersion: "2025-06-18",
      transport: "streamable_http",
      attributes: { region: "eu" },
      definitionHashes: ["h".repeat(300)],
    } satisfies SessionDetails;
    expect(sessionOf("s".repeat(300), details)).toEqual({
      id: "s".repeat(MAX_NAME_LENGTH),
      recordedAt: NOW,
      recorderId: "recorder",
      kind: "connection",
      startedAt: 5,
      clientName: "c".repeat(MAX_NAME_LENGTH),
      clientVersion: "1",
      serverName: "a\ufffdb",
      serverVersion: null,
      protocolVersion: "2025-06-18",
      transport: "streamable_http",
      attributes: '{"region":"eu"}',
      definitionHashes: ["h".repeat(MAX_NAME_LENGTH)],
    });
  });

  test("is not made from a wrong id or wrong details", () => {
    for (const id of ["", 7, null, undefined, Symbol("s")]) {
      expect(sessionIdSchema.safeParse(id).success).toBe(false);
    }
    for (const details of [
      null,
      "s",
      { startedAt: Number.NaN },
      { clientName: 1 },
      { kind: "pod" },
    ]) {
      expect(sessionDetailsSchema.safeParse(details).success).toBe(false);
    }
  });
});

describe("toSessionEnd()", () => {
  test("keeps the reason, cut, and takes none or an empty one for none", () => {
    expect(toSessionEnd("s", "r".repeat(300), NOW)).toEqual({
      sessionId: "s",
      endedAt: NOW,
      reason: "r".repeat(MAX_NAME_LENGTH),
    });
    expect(toSessionEnd("s", null, NOW).reason).toBeNull();
    expect(toSessionEnd("s", "", NOW).reason).toBeNull();
    expect(sessionReasonSchema.safeParse(7).success).toBe(false);
  });
});
