import { describe, expect, test } from "bun:test";
import { InputError } from "../../src/input-error.ts";
import { parseQuestion } from "../../src/question.ts";
import { localZone } from "../../src/times.ts";

const NOW = Date.UTC(2026, 10, 24, 10, 46);
const DAY = 86_400_000;
const STATUSES = ["success", "error"] as const;

describe("parseQuestion", () => {
  test("without texts is about all calls since 7 days ago, without an end, in the system's zone", () => {
    expect(parseQuestion({}, NOW, STATUSES)).toEqual({
      filter: {
        since: NOW - 7 * DAY,
        until: undefined,
        tools: undefined,
        servers: undefined,
        clients: undefined,
        sessionId: undefined,
        statuses: undefined,
      },
      now: NOW,
      zone: localZone(),
    });
  });

  test("turns each text into its part of the filter, days in the zone", () => {
    const texts = {
      since: "2026-11-01",
      until: "1d",
      tool: ["read_*"],
      server: ["files"],
      client: ["claude*"],
      session: "4f1e",
      status: ["error"],
      tz: "europe/berlin",
    };
    expect(parseQuestion(texts, NOW, STATUSES)).toEqual({
      filter: {
        since: Date.parse("2026-11-01T00:00:00+01:00"),
        until: NOW - DAY,
        tools: ["read_*"],
        servers: ["files"],
        clients: ["claude*"],
        sessionId: "4f1e",
        statuses: ["error"],
      },
      now: NOW,
      zone: "Europe/Berlin",
    });
  });

  test("has no beginning with all", () => {
    expect(parseQuestion({ since: "all" }, NOW, STATUSES).filter.since).toBeUndefined();
  });

  test.each([
    [{ since: "1d", until: "2d" }, "since to be before until"],
    [{ since: "1d", until: "1d" }, "since to be before until"],
    [{ since: "soon" }, "Expected a time such as 7d"],
    [{ tz: "Mars" }, "Expected a time zone"],
    [{ status: ["good"] }, 'one of success, error, got "good"'],
  ])("refuses %p", (texts, message) => {
    const parse = () => parseQuestion(texts, NOW, STATUSES);
    expect(parse).toThrow(InputError);
    expect(parse).toThrow(message);
  });
});
