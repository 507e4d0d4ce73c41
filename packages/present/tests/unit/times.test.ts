import { describe, expect, test } from "bun:test";
import { InputError } from "../../src/input-error.ts";
import { isoTime, localZone, parseMoment, parseZone, shortTime } from "../../src/times.ts";

const NOW = Date.UTC(2026, 10, 24, 10, 46);
const at = (text: string) => Date.parse(text);

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
    expect(() => parseMoment(text, NOW, "UTC")).toThrow(InputError);
  });
});

test("zones are those that exist", () => {
  expect(parseZone("europe/berlin")).toBe("Europe/Berlin");
  expect(() => parseZone("Mars/Olympus")).toThrow(InputError);
  expect(parseZone(localZone())).toBe(localZone());
});

const AT = Date.UTC(2026, 10, 24, 10, 46, 3, 120);

test("times are told in the zone", () => {
  expect(shortTime(AT, "UTC")).toBe("Nov 24 10:46");
  expect(isoTime(AT, "Asia/Kolkata")).toBe("2026-11-24T16:16:03.120+05:30");
});
