import type { z } from "zod";
import { beginningOf } from "./beginning.ts";
import type { toolCallMetadataSchema } from "./metadata.ts";
import type { Session, ToolCall } from "./schema.ts";

/** Longest stored texts, in UTF-16 code units. Longer ones are cut, never refused. */
export const MAX_NAME_LENGTH = 256;
export const MAX_MESSAGE_LENGTH = 4_096;

type Payload = "arguments" | "result" | "attributes";

/** A validated call as it travels: its payloads are JSON texts, within their caps. */
export type CallDetails = Omit<z.output<typeof toolCallMetadataSchema>, Payload> & {
  readonly [Key in Payload]?: string | undefined;
};

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

/** A session's row, and when its start was told: it opens a session again that had ended before. */
export type SessionStart = SessionRow & {
  readonly recordedAt: number;
  /** The tool definitions that are to be linked with it. */
  readonly definitionHashes?: readonly string[];
};

/** The row of a call that was recorded at `recordedAt`. */
export function toToolCallRow(id: string, recordedAt: number, call: CallDetails): ToolCallRow {
  return {
    id,
    toolName: cut(call.toolName, MAX_NAME_LENGTH),
    sessionId: name(call.sessionId),
    startedAt: Math.max(0, Math.round(call.startedAt ?? recordedAt - call.durationMs)),
    durationMs: call.durationMs,
    status: call.status ?? "success",
    errorType: name(call.errorType),
    errorCode: call.errorCode ?? null,
    errorMessage:
      call.errorMessage === undefined ? null : cut(call.errorMessage, MAX_MESSAGE_LENGTH),
    inputBytes: call.inputBytes ?? null,
    outputBytes: call.outputBytes ?? null,
    inputTokens: call.inputTokens ?? null,
    outputTokens: call.outputTokens ?? null,
    tokenMethod: name(call.tokenMethod),
    outputContentTypes: call.outputContentTypes ? JSON.stringify(call.outputContentTypes) : null,
    cacheHit: call.cacheHit === undefined ? null : Number(call.cacheHit),
    argumentHash: name(call.argumentHash),
    argumentShapeHash: name(call.argumentShapeHash),
    definitionHash: name(call.definitionHash),
    continuedFrom: name(call.continuedFrom),
    requestId: call.requestId === undefined ? null : name(String(call.requestId)),
    traceId: name(call.traceId),
    parentSpanId: name(call.parentSpanId),
    // Written out: a spread takes a third of the time of the whole row.
    clientName: name(call.clientName),
    clientVersion: name(call.clientVersion),
    serverName: name(call.serverName),
    serverVersion: name(call.serverVersion),
    protocolVersion: name(call.protocolVersion),
    transport: name(call.transport),
    arguments: call.arguments ?? null,
    result: call.result ?? null,
    attributes: call.attributes ?? null,
  };
}

/** Whether any text may be longer than is stored of it. */
export function hasLongText(call: Readonly<Record<string, unknown>>): boolean {
  for (const key in call) {
    const value = call[key];
    if (typeof value === "string" && value.length > MAX_NAME_LENGTH) return true;
  }
  return false;
}

/** The call with no text longer than is stored of it, so that nothing longer is kept on the way. */
export function cutTexts(call: CallDetails): CallDetails {
  const texts = Object.entries(call).map(([key, value]) => {
    if (typeof value !== "string") return [key, value] as const;
    return [
      key,
      cut(value, key === "errorMessage" ? MAX_MESSAGE_LENGTH : MAX_NAME_LENGTH),
    ] as const;
  });
  return { ...call, ...Object.fromEntries(texts) };
}

/** An identifier or a name; an empty one says nothing and is stored as none. */
export function name(value: string | undefined): string | null {
  return value ? cut(value, MAX_NAME_LENGTH) : null;
}

/** A NUL ends a text for SQLite's functions; half a surrogate pair is not UTF-8. Both become U+FFFD. */
const SUSPECT = /[\0\ud800-\udfff]/;

/** The text, at most `maxLength` long and storable. */
export function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength && !SUSPECT.test(text)) return text;
  // By way of bytes: a slice alone would keep the whole of a huge text in memory.
  const copy = Buffer.from(beginningOf(text, maxLength)).toString();
  return copy.replaceAll("\0", "\ufffd");
}
