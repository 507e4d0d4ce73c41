import {
  type SessionDetails,
  type ToolCallRow,
  sessionDetailsSchema,
  toSessionRow,
  toToolCallRow,
  toolCallMetadataSchema,
} from "../../src/analytics/metadata.ts";
import type { TelemetryRecord } from "../../src/analytics/writer.ts";

const POLICY = { capturePayloads: true, maxPayloadLength: 65_536 };

/** A whole row of one successful call of `echo`, with what the test cares for laid over it. */
export function callRow(overrides: Partial<ToolCallRow> = {}): ToolCallRow {
  const metadata = toolCallMetadataSchema.parse({
    toolName: "echo",
    durationMs: 1.5,
    startedAt: 1_000,
  });
  return { ...toToolCallRow(metadata, 1_000, POLICY), ...overrides };
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
    row: toSessionRow(sessionId, recorderId, sessionDetailsSchema.parse(details), startedAt),
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
