import { getTableColumns } from "drizzle-orm";
import { describe, expect, test } from "bun:test";
import { recorderHealth, sessions, toolCalls } from "../../../../src/analytics/schema.ts";
import { conform, shapeOf } from "../../../../src/analytics/records/shape.ts";
import { callRow } from "../../../support/records.ts";

const CALL = shapeOf(getTableColumns(toolCalls));
const row = { ...callRow(), sequence: 1 };

describe("a row", () => {
  test("that has all its fields is the same row", () => {
    expect(conform(row, CALL)).toBe(row);
  });

  test.each([
    ["durationMs", "5", 'a finite number, got "5"'],
    ["durationMs", Number.POSITIVE_INFINITY, "a finite number, got Infinity"],
    ["durationMs", null, "a finite number, got object"],
    ["startedAt", -1, "a time in milliseconds since 1970, got -1"],
    ["startedAt", 1e15, "a time in milliseconds since 1970, got 1000000000000000"],
    ["errorCode", 2 ** 60, "an integer, got 1152921504606847000"],
    ["toolName", 5, "a string, got 5"],
    ["toolName", undefined, "a string, got undefined"],
    ["status", "splendid", 'abandoned, got "splendid"'],
    ["attributes", '{"a":', 'a JSON text, got "{\\"a\\":"'],
    ["attributes", {}, "a JSON text, got object"],
  ])("whose %s is %j is refused", (field, value, message) => {
    expect(() => conform({ ...row, [field]: value }, CALL)).toThrow(message);
  });

  test("without a field that may be null has null there", () => {
    const { clientName: _, ...older } = row;
    expect(conform(older, CALL)).toEqual({ ...row, clientName: null } as never);
  });

  test("without a count has zero, where the shape says so, but never without a time or a text", () => {
    const { recorderId, hourStartedAt, accepted } = getTableColumns(recorderHealth);
    const shape = shapeOf({ recorderId, hourStartedAt, accepted }, 0);
    const older = { recorderId: "r", hourStartedAt: 0 };
    expect(conform(older, shape)).toEqual({ ...older, accepted: 0 } as never);
    expect(() => conform({ recorderId: "r" }, shape)).toThrow("`hourStartedAt`");
    expect(() => conform({ hourStartedAt: 0 }, shape)).toThrow("`recorderId`");
    expect(() => conform({}, shapeOf({ startedAt: sessions.startedAt }))).toThrow("`startedAt`");
  });
});
