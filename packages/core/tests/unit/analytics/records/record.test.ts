import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { toolCallMetadataSchema } from "../../../../src/analytics/records/metadata.ts";
import { toCallDetails } from "../../../../src/analytics/records/details.ts";
import { decode, encode, encodeCall } from "../../../../src/analytics/records/record.ts";
import { toToolCallRow } from "../../../../src/analytics/records/row.ts";
import { end, endRecorder, start } from "../../../support/records.ts";

const POLICY = { capturePayloads: true, maxPayloadLength: 500 };

describe("a line", () => {
  const metadata = fc.record(
    {
      toolName: fc.string({ unit: "binary", minLength: 1 }),
      durationMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
      sessionId: fc.string({ unit: "binary" }),
      errorMessage: fc.string({ unit: "binary", maxLength: 6_000 }),
      errorCode: fc.integer(),
      cacheHit: fc.boolean(),
      requestId: fc.oneof(fc.string(), fc.integer()),
      arguments: fc.jsonValue(),
      result: fc.anything(),
      attributes: fc.dictionary(fc.string(), fc.jsonValue()),
    },
    { requiredKeys: ["toolName", "durationMs"] },
  );

  test("of a call is one line, and makes the row that the call itself makes", () => {
    const property = fc.property(metadata, fc.nat(), (said, now) => {
      const details = toCallDetails(toolCallMetadataSchema.parse(said), POLICY);
      const line = encodeCall("id", now, details);
      expect(line.indexOf("\n")).toBe(line.length - 1);
      expect(decode(line)).toEqual({ kind: "tool_call", row: toToolCallRow("id", now, details) });
    });
    fc.assert(property, { numRuns: 200 });
  });

  test("of a call holds no text much longer than is stored of it", () => {
    const long = "x".repeat(1_000_000);
    const line = encodeCall("id", 1, { toolName: long, durationMs: 1, errorMessage: long });
    expect(line.length).toBeLessThan(5_000);
  });

  test("of any other record is that record", () => {
    for (const record of [start("s", 1), end("s", 2, "left"), endRecorder(3)]) {
      if (record.kind !== "tool_call") expect(decode(encode(record))).toEqual(record);
    }
  });

  test.each([
    "",
    "}{",
    "null",
    "7",
    '"tool_call"',
    "{}",
    '{"kind":"other"}',
    '{"kind":"tool_call"}',
  ])("that is none of ours is refused: %p", (line) => {
    expect(() => decode(line)).toThrow();
  });
});
