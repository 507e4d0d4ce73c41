import { describe, expect, test } from "bun:test";
import { clients } from "../../../../src/analytics/queries/clients.ts";
import { contextTax } from "../../../../src/analytics/queries/context-tax.ts";
import { definitionVersions } from "../../../../src/analytics/queries/definition-versions.ts";
import { recordingHealth } from "../../../../src/analytics/queries/health.ts";
import { latestSessions } from "../../../../src/analytics/queries/sessions.ts";
import { transitions } from "../../../../src/analytics/queries/transitions.ts";
import { usage, usageTotals } from "../../../../src/analytics/queries/usage.ts";
import { ledger } from "../../../support/ledger.ts";

const LARGEST = "9223372036854775807";

/** Three calls, two sessions and two hours of health, each with the largest integer that a column holds. */
function full() {
  const db = ledger({
    sessions: { one: {}, two: {} },
    definitions: [{ hash: "h", toolName: "a" }],
    calls: [{}, {}, { status: "error" as const }].map((call) => ({
      ...call,
      toolName: "a",
      sessionId: "one",
      definitionHash: "h",
    })),
  });
  db.$client.run(`update tool_calls set output_tokens = ${LARGEST}`);
  db.$client.run(`update tool_definitions set tokens = ${LARGEST}`);
  db.$client.run("insert into session_definitions select id, 'h' from sessions");
  db.$client.run(
    `insert into recorder_health (recorder_id, hour_started_at_ms, process_id, accepted, written, dropped_invalid,
       dropped_queue_full, dropped_unwritable, dropped_unknown_session, dropped_shut_down, failed_flushes, retries,
       unjournaled, recovered, recording_ms, queue_peak, journal_bytes)
     select value, 0, 1${`, ${LARGEST}`.repeat(14)} from json_each('["r", "s"]')`,
  );
  return db;
}

describe("sums beyond 63 bits do not fail:", () => {
  const about = (count: number) => expect.closeTo(count * 2 ** 63, -10);

  test("output tokens", () => {
    using db = full();
    expect(usage(db, {}).totals).toMatchObject({ failures: 1, outputTokens: about(3) });
    expect(usageTotals(db, {})).toMatchObject({ failures: 1, outputTokens: about(3) });
    expect(clients(db, {})).toMatchObject([{ outputTokens: about(3) }]);
    expect(latestSessions(db, { sessionId: "one" }, 1)).toMatchObject([{ outputTokens: about(3) }]);
    expect(definitionVersions(db, "a", {})).toMatchObject([{ outputTokens: about(3) }]);
    expect(transitions(db, {})).toMatchObject([{ count: 2 }]);
  });

  test("tokens of definitions", () => {
    using db = full();
    expect(contextTax(db, {})).toMatchObject([
      { carriedTokens: about(2), unusedTokens: expect.any(Number) },
    ]);
  });

  test("health", () => {
    using db = full();
    expect(recordingHealth(db, {})).toMatchObject({ accepted: about(2), recordingMsPerRecord: 1 });
  });
});
