import { type SessionDetails, sessionDetailsSchema } from "../../src/analytics/records/metadata.ts";
import { toSessionStart } from "../../src/analytics/records/session.ts";
import type { TelemetryRecord } from "../../src/analytics/records/record.ts";
import { type ToolCallRow, toToolCallRow } from "../../src/analytics/records/row.ts";

/** A whole row of one successful call of `echo`, with what the test cares for laid over it. */
export function callRow(overrides: Partial<ToolCallRow> = {}): ToolCallRow {
  const details = { toolName: "echo", durationMs: 1.5, startedAt: 1_000 };
  return { ...toToolCallRow(Bun.randomUUIDv7("hex", 1_000), 1_000, details), ...overrides };
}

export function call(overrides: Partial<ToolCallRow> = {}): TelemetryRecord {
  return { kind: "tool_call", row: callRow(overrides) };
}

export function start(
  sessionId: string,
  startedAt: number,
  details: SessionDetails = {},
  recorderId = "recorder",
): TelemetryRecord {
  return {
    kind: "session_start",
    row: toSessionStart(sessionId, recorderId, sessionDetailsSchema.parse(details), startedAt),
  };
}

export function end(
  sessionId: string,
  endedAt: number,
  reason: string | null = null,
): TelemetryRecord {
  return { kind: "session_end", row: { sessionId, endedAt, reason } };
}

export function endRecorder(endedAt: number, recorderId = "recorder"): TelemetryRecord {
  return { kind: "recorder_end", row: { recorderId, endedAt, reason: "shutdown" } };
}
