import { describe, expect, test } from "bun:test";
import { UsageError } from "../../src/failures/command-error.ts";
import { bucketStarts, localZone, parseDuration, parseMoment, parseZone } from "../../src/time.ts";

const NOW = Date.UTC(2026, 10, 24, 10, 46);
const at = (text: string) => Date.parse(text);

describe("parseDuration", () => {
  test.each([
    ["500ms", 500],
    ["1.5s", 1_500],
    ["30m", 1_800_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    ["2w", 1_209_600_000],
    ["0s", 0],
  ])("%s", (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  test.each(["", "7", "d", "7 d", "-7d", "7y", "1e3s"])("refuses %p", (text) => {
    expect(() => parseDuration(text)).toThrow(UsageError);
  });
});

describe("parseMoment", () => {
  test.each([
    ["7d", NOW - 7 * 86_400_000],
    ["0s", NOW],
    ["today", at("2026-11-24T00:00:00+01:00")],
    ["yesterday", at("2026-11-23T00:00:00+01:00")],
    ["2026-11-01", at("2026-11-01T00:00:00+01:00")],
    // In summer time.
    ["2026-07-01", at("2026-07-01T00:00:00+02:00")],
    ["2026-11-01T08:30", at("2026-11-01T08:30:00+01:00")],
    ["2026-11-01T08:30Z", at("2026-11-01T08:30:00Z")],
    ["2026-11-01T08:30:15-05:00", at("2026-11-01T08:30:15-05:00")],
  ])("%s", (text, expected) => {
    expect(parseMoment(text, NOW, "Europe/Berlin")).toBe(expected);
  });

  test("all is no moment", () => {
    expect(parseMoment("all", NOW, "UTC")).toBeUndefined();
  });

  test.each(["", "soon", "2026-13-01", "2026", "7y", "11/01/2026"])("refuses %p", (text) => {
    expect(() => parseMoment(text, NOW, "UTC")).toThrow(UsageError);
  });
});

test("zones are those that exist", () => {
  expect(parseZone("europe/berlin")).toBe("Europe/Berlin");
  expect(() => parseZone("Mars/Olympus")).toThrow(UsageError);
  expect(parseZone(localZone())).toBe(localZone());
});

describe("bucketStarts", () => {
  test("are hours for up to two days, the first one cut", () => {
    const starts = bucketStarts(NOW - 3 * 3_600_000, NOW, "UTC");
    expect(starts.map((start) => new Date(start).toISOString().slice(11, 16))).toEqual([
      "07:46",
      "08:00",
      "09:00",
      "10:00",
    ]);
  });

  test("are days of the zone, also where the clocks change", () => {
    const since = at("2026-10-24T00:00:00+02:00");
    expect(bucketStarts(since, at("2026-10-27T00:00:00+01:00"), "Europe/Berlin")).toEqual([
      since,
      at("2026-10-25T00:00:00+02:00"),
      at("2026-10-26T00:00:00+01:00"),
    ]);
  });

  test("are weeks for more than two months", () => {
    expect(bucketStarts(NOW - 70 * 86_400_000, NOW, "UTC")).toHaveLength(11);
  });

  test("of nothing are one", () => {
    expect(bucketStarts(NOW, NOW, "UTC")).toEqual([NOW]);
  });
});
