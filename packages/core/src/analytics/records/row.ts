import type { CallDetails } from "./metadata.ts";
import { MAX_MESSAGE_LENGTH, MAX_NAME_LENGTH, cut, toName } from "./texts.ts";
import type { Session, ToolCall } from "../schema.ts";

/** A column's value as SQLite stores it: a boolean as 0 or 1, JSON as text. */
type StoredValue<Value> = unknown extends Value
  ? string | null
  : Value extends string | number | null
    ? Value
    : Value extends boolean
      ? number
      : string;

type Stored<Row> = { readonly [Column in keyof Row]: StoredValue<Row[Column]> };

export type ToolCallRow = Stored<Omit<ToolCall, "sequence">>;
export type SessionRow = Stored<Omit<Session, "endedAt" | "endReason">>;

/**
 * A session's row and the time of its start record. A start that is later than the session's end reopens the session.
 */
export type SessionStart = SessionRow & {
  readonly recordedAt: number;
  /** Tool definitions to link with the session. */
  readonly definitionHashes?: readonly string[];
};

/** Converts a call that was recorded at `recordedAt` to its row. */
export function toToolCallRow(id: string, recordedAt: number, call: CallDetails): ToolCallRow {
  return {
    id,
    toolName: cut(call.toolName, MAX_NAME_LENGTH),
    sessionId: toName(call.sessionId),
    startedAt: Math.max(0, Math.round(call.startedAt ?? recordedAt - call.durationMs)),
    durationMs: call.durationMs,
    status: call.status ?? "success",
    errorType: toName(call.errorType),
    errorCode: call.errorCode ?? null,
    errorMessage:
      call.errorMessage === undefined ? null : cut(call.errorMessage, MAX_MESSAGE_LENGTH),
    inputBytes: call.inputBytes ?? null,
    outputBytes: call.outputBytes ?? null,
    inputTokens: call.inputTokens ?? null,
    outputTokens: call.outputTokens ?? null,
    tokenMethod: toName(call.tokenMethod),
    outputContentTypes: call.outputContentTypes ? JSON.stringify(call.outputContentTypes) : null,
    cacheHit: call.cacheHit === undefined ? null : Number(call.cacheHit),
    argumentHash: toName(call.argumentHash),
    argumentShapeHash: toName(call.argumentShapeHash),
    definitionHash: toName(call.definitionHash),
    continuedFrom: toName(call.continuedFrom),
    requestId: call.requestId === undefined ? null : toName(String(call.requestId)),
    traceId: toName(call.traceId),
    parentSpanId: toName(call.parentSpanId),
    // Written out: a spread would take a third of the time of the whole conversion.
    clientName: toName(call.clientName),
    clientVersion: toName(call.clientVersion),
    serverName: toName(call.serverName),
    serverVersion: toName(call.serverVersion),
    protocolVersion: toName(call.protocolVersion),
    transport: toName(call.transport),
    arguments: call.arguments ?? null,
    result: call.result ?? null,
    attributes: call.attributes ?? null,
  };
}
