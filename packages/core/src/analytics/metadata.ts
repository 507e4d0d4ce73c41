import { z, ZodError } from "zod";
import { toJsonText } from "./json.ts";
import { type Session, type ToolCall, TOOL_CALL_STATUSES } from "./schema.ts";

/** Longest stored texts, in UTF-16 code units. Longer ones are cut, never refused. */
export const MAX_NAME_LENGTH = 256;
export const MAX_MESSAGE_LENGTH = 4_096;
export const MAX_ATTRIBUTES_LENGTH = 16_384;

const count = z.int().min(0).optional();
const label = z.string().optional();
const attributes = z.record(z.string(), z.unknown()).optional();
/** Up to the end of the year 9999, the last that SQLite's date functions know. */
const startedAt = z.number().min(0).max(253_402_300_799_999).optional();

const partyFields = {
  clientName: label,
  clientVersion: label,
  serverName: label,
  serverVersion: label,
  /** The MCP protocol revision, such as `2025-06-18`. */
  protocolVersion: label,
  /** `stdio`, `streamable_http`, `sse` or another name. */
  transport: label,
};

/** What a caller says of one finished tool call. Unknown keys are ignored. */
export const toolCallMetadataSchema = z.object({
  toolName: z.string().min(1),
  /** By a monotonic clock, in milliseconds, fractions welcome. */
  durationMs: z.number().min(0),
  sessionId: label,
  /** Milliseconds since 1970 UTC. Default: now − `durationMs`. */
  startedAt,
  /** Default: `success`. */
  status: z.enum(TOOL_CALL_STATUSES).optional(),
  /** The error's class or kind, such as `TypeError`; OpenTelemetry's `error.type`. */
  errorType: label,
  /** The JSON-RPC error code. */
  errorCode: z.int().optional(),
  errorMessage: label,
  inputBytes: count,
  outputBytes: count,
  inputTokens: count,
  outputTokens: count,
  cacheHit: z.boolean().optional(),
  /** The JSON-RPC request id; `0` and `"0"` are legal. */
  requestId: z.union([z.string(), z.number()]).optional(),
  traceId: label,
  parentSpanId: label,
  ...partyFields,
  /** Stored only with `capturePayloads`. */
  arguments: z.unknown().optional(),
  /** Stored only with `capturePayloads`. */
  result: z.unknown().optional(),
  /** Anything else worth a query, stored as JSON. */
  attributes,
});

/** What a caller says of a session; every field may be missing. */
export const sessionDetailsSchema = z.object({ startedAt, ...partyFields, attributes });

export const sessionIdSchema = z.string().min(1);

export const sessionReasonSchema = z.string().nullable();

export type ToolCallMetadata = z.input<typeof toolCallMetadataSchema>;
export type SessionDetails = z.input<typeof sessionDetailsSchema>;

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

export interface PayloadPolicy {
  readonly capturePayloads: boolean;
  readonly maxPayloadLength: number;
}

/** Validated metadata as a row. Takes copies only: what the caller changes later does not reach the row. */
export function toToolCallRow(
  call: z.output<typeof toolCallMetadataSchema>,
  now: number,
  { capturePayloads, maxPayloadLength }: PayloadPolicy,
): ToolCallRow {
  return {
    id: Bun.randomUUIDv7("hex", now),
    toolName: cut(call.toolName, MAX_NAME_LENGTH),
    sessionId: name(call.sessionId),
    startedAt: Math.max(0, Math.round(call.startedAt ?? now - call.durationMs)),
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
    cacheHit: call.cacheHit === undefined ? null : Number(call.cacheHit),
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
    arguments: capturePayloads ? toJsonText(call.arguments, maxPayloadLength) : null,
    result: capturePayloads ? toJsonText(call.result, maxPayloadLength) : null,
    attributes: toJsonText(call.attributes, MAX_ATTRIBUTES_LENGTH),
  };
}

/** A session's row from what its starter said of it. */
export function toSessionRow(
  sessionId: string,
  recorderId: string,
  details: z.output<typeof sessionDetailsSchema>,
  now: number,
): SessionRow {
  return {
    id: cut(sessionId, MAX_NAME_LENGTH),
    recorderId,
    startedAt: Math.round(details.startedAt ?? now),
    ...toPartyColumns(details),
    attributes: toJsonText(details.attributes, MAX_ATTRIBUTES_LENGTH),
  };
}

/** The end of one session. The first end of a session stands. */
export type SessionEnd = {
  readonly sessionId: string;
  readonly endedAt: number;
  readonly reason: string | null;
};

export function toSessionEnd(sessionId: string, reason: string | null, now: number): SessionEnd {
  return {
    sessionId: cut(sessionId, MAX_NAME_LENGTH),
    endedAt: now,
    reason: name(reason ?? undefined),
  };
}

type Parties = Pick<z.output<typeof sessionDetailsSchema>, keyof typeof partyFields>;

function toPartyColumns(parties: Parties) {
  return {
    clientName: name(parties.clientName),
    clientVersion: name(parties.clientVersion),
    serverName: name(parties.serverName),
    serverVersion: name(parties.serverVersion),
    protocolVersion: name(parties.protocolVersion),
    transport: name(parties.transport),
  };
}

/** An identifier or a name; an empty one says nothing and is stored as none. */
function name(value: string | undefined): string | null {
  return value ? cut(value, MAX_NAME_LENGTH) : null;
}

/** A NUL ends a text for SQLite's functions; half a surrogate pair is not UTF-8. Both become U+FFFD. */
const SUSPECT = /[\0\ud800-\udfff]/;

/** The text, at most `maxLength` long and storable. */
function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength && !SUSPECT.test(text)) return text;
  // By way of bytes: a slice alone would keep the whole of a huge text in memory.
  const copy = Buffer.from(text.slice(0, maxLength)).toString();
  return copy.replaceAll("\0", "\ufffd");
}

/** What zod found wrong, in lines for people; any other error as it is. Even to look at one may throw. */
export function explainRefusal(error: unknown): unknown {
  try {
    return error instanceof ZodError ? z.prettifyError(error) : error;
  } catch {
    return error;
  }
}
