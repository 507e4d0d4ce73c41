import { isProxy } from "node:util/types";
import { z, ZodError } from "zod";
import { boundedCopy } from "./bounded-copy.ts";
import { errorMessage as messageOf } from "./errors.ts";
import { toJsonText } from "./json.ts";
import { type CallDetails, MAX_NAME_LENGTH, type SessionStart, cut, name } from "./row.ts";
import {
  CONTENT_TYPES,
  type ContentType,
  SESSION_KINDS,
  TOOL_CALL_STATUSES,
} from "./vocabulary.ts";

/** Longest stored JSON text of a tool's definition, in UTF-16 code units. */
const MAX_DEFINITION_LENGTH = 65_536;

/** Longest stored JSON text of `attributes`, in UTF-16 code units; see `toJsonText` for a longer one. */
export const MAX_ATTRIBUTES_LENGTH = 16_384;

const count = z.int().min(0).optional();
const label = z.string().optional();
/** Not `z.record`, which copies every property, however many there are. */
const attributes = z
  .custom<Record<string, unknown>>(isProperties, "Invalid input: expected an object of properties")
  .optional();
/** Up to the end of the year 9999, the last that SQLite's date functions know. */
const startedAt = z.number().min(0).max(253_402_300_799_999).optional();

const outputContentTypes = z
  .custom<Partial<Record<ContentType, number>>>()
  .transform((types) => boundedCopy(types, { nodes: 32, characters: 1_024 }).value)
  .pipe(z.partialRecord(z.enum(CONTENT_TYPES), z.int().min(0)))
  .optional();

/** Definitions that one start of a session can name; more can follow in another. */
const MAX_DEFINITIONS = 1_000;

const definitionHashes = z
  .custom<readonly string[]>()
  .transform((hashes) => (Array.isArray(hashes) ? hashes.slice(0, MAX_DEFINITIONS) : hashes))
  .pipe(z.array(z.string().min(1)))
  .optional();

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
  /** How the tokens were counted or estimated. */
  tokenMethod: label,
  /** How many blocks of each type the result has. */
  outputContentTypes,
  cacheHit: z.boolean().optional(),
  /** Equal for equal arguments; it should not let anybody guess them. */
  argumentHash: label,
  /** Equal for arguments of the same keys and types. */
  argumentShapeHash: label,
  /** The `hash` of the tool's definition. */
  definitionHash: label,
  /** The id of the call whose question this one answers; a handle's `id`. */
  continuedFrom: label,
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

/** What a call needs to be followed while it runs. */
const calledToolSchema = toolCallMetadataSchema.pick({ toolName: true });

/** What names a call, its session and its parties; all of them texts. */
const NAMING = [
  "sessionId",
  "traceId",
  "parentSpanId",
  "definitionHash",
  "clientName",
  "clientVersion",
  "serverName",
  "serverVersion",
  "protocolVersion",
  "transport",
] as const satisfies readonly (keyof ToolCallMetadata)[];

/** What a caller says of a session; every field may be missing. */
export const sessionDetailsSchema = z.object({
  startedAt,
  /** `session`, or no more than a `connection`. */
  kind: z.enum(SESSION_KINDS).optional(),
  ...partyFields,
  attributes,
  /** The hashes of the tool definitions that its client was given, the first 1,000 of them; more may follow. */
  definitionHashes,
});

/** What a caller says of a tool's definition. */
export const toolDefinitionSchema = z.object({
  hash: z.string().min(1),
  toolName: z.string().min(1),
  /** Name, description and schemas, as JSON. */
  definition: z.unknown(),
  bytes: z.int().min(0),
  tokens: z.int().min(0),
  /** How the tokens were counted or estimated. */
  tokenMethod: z.string().min(1),
});

export const sessionIdSchema = z.string().min(1);

export const sessionReasonSchema = z.string().nullable();

export type ToolCallMetadata = z.input<typeof toolCallMetadataSchema>;
export type SessionDetails = z.input<typeof sessionDetailsSchema>;
export type ToolDefinition = z.input<typeof toolDefinitionSchema>;

export interface PayloadPolicy {
  readonly capturePayloads: boolean;
  readonly maxPayloadLength: number;
}

interface Payloads {
  readonly arguments?: unknown;
  readonly result?: unknown;
  readonly attributes?: unknown;
}

/** A call's payloads as JSON texts; one that is not to be stored is left out. */
interface PayloadTexts {
  readonly arguments?: string | undefined;
  readonly result?: string | undefined;
  readonly attributes?: string | undefined;
}

/**
 * A validated call, or a part of one, as it travels. Takes copies only: what the caller changes later does
 * not reach it.
 */
export function toCallDetails<Call extends Payloads>(
  call: Call,
  { capturePayloads, maxPayloadLength }: PayloadPolicy,
): Omit<Call, keyof Payloads> & PayloadTexts {
  // Most calls have none of the three, and a spread takes time.
  if (hasNoPayloads(call)) return call;
  const text = (payload: unknown) =>
    (capturePayloads ? toJsonText(payload, maxPayloadLength) : null) ?? undefined;
  return {
    ...call,
    arguments: text(call.arguments),
    result: text(call.result),
    attributes: toJsonText(call.attributes, MAX_ATTRIBUTES_LENGTH) ?? undefined,
  };
}

/**
 * What is kept of a call while it runs, in case that it never ends: its names and its payloads. The tool waits
 * for it, so it is not the schema that looks at them (it takes six times as long); the call's end is validated.
 * Throws if the call has no tool.
 */
export function toStartDetails(
  call: Partial<ToolCallMetadata>,
  recordedAt: number,
  policy: PayloadPolicy,
): CallDetails {
  const { requestId, startedAt: begunAt } = call;
  const isNamed = typeof call.toolName === "string" && call.toolName !== "";
  // The schema only says what is wrong: it takes time.
  const { toolName = "" } = isNamed ? call : calledToolSchema.parse(call);
  const isId = typeof requestId === "string" || Number.isFinite(requestId);
  const isTime = begunAt !== undefined && startedAt.safeParse(begunAt).success;
  const details: { -readonly [Key in keyof CallDetails]: CallDetails[Key] } = {
    toolName,
    startedAt: isTime ? begunAt : recordedAt,
    durationMs: 0,
    status: "abandoned",
    requestId: isId ? requestId : undefined,
  };
  for (const key of NAMING) {
    const value: unknown = call[key];
    if (typeof value === "string") details[key] = value;
  }
  if (hasNoPayloads(call)) return details;
  const { arguments: input, result, attributes: others } = toCallDetails(call, policy);
  return { ...details, arguments: input, result, attributes: others };
}

/** Of what is said at a call's end, how it ended; as `toStartDetails`, before the schema looks at it. */
export function toOutcome({
  status,
  errorType,
  errorCode,
  errorMessage,
}: Partial<ToolCallMetadata>) {
  return {
    status: TOOL_CALL_STATUSES.find((known) => known === status) ?? "success",
    errorType: typeof errorType === "string" ? errorType : undefined,
    errorCode: Number.isSafeInteger(errorCode) ? errorCode : undefined,
    errorMessage: typeof errorMessage === "string" ? errorMessage : undefined,
  };
}

/** A call as the known fields of its start and its end say it, the later word over the earlier, validated. */
export function toEndedCall(
  started: Partial<ToolCallMetadata>,
  kept: CallDetails,
  end: Partial<ToolCallMetadata>,
  policy: PayloadPolicy,
): CallDetails {
  const call = toolCallMetadataSchema.parse({ ...started, startedAt: kept.startedAt, ...end });
  const { arguments: input, result, attributes: others, ...details } = toCallDetails(call, policy);
  return {
    ...details,
    arguments: input ?? kept.arguments,
    result: result ?? kept.result,
    attributes: others ?? kept.attributes,
  };
}

const FIELDS = toolCallMetadataSchema.keyof().options;

/** The fields that a call has, each read once, undefined ones left out: of others there may be a million. */
export function knownFields(said: Partial<ToolCallMetadata> | null): Partial<ToolCallMetadata> {
  const known: Partial<ToolCallMetadata> = {};
  if (said === null) return known;
  for (const key of FIELDS) {
    const value: unknown = said[key];
    if (value !== undefined) Reflect.set(known, key, value);
  }
  return known;
}

/** An object of no class; a proxy is let through, because `toJsonText` does not look into it. */
function isProperties(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (isProxy(value)) return true;
  if (Array.isArray(value)) return false;
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function hasNoPayloads<Call extends Payloads>(
  call: Call,
): call is Call & { readonly [Key in keyof Payloads]?: undefined } {
  return call.arguments === undefined && call.result === undefined && call.attributes === undefined;
}

/** A session's row from what its starter said of it. */
export function toSessionStart(
  sessionId: string,
  recorderId: string,
  details: z.output<typeof sessionDetailsSchema>,
  now: number,
): SessionStart {
  return {
    id: cut(sessionId, MAX_NAME_LENGTH),
    recordedAt: now,
    recorderId,
    kind: details.kind ?? null,
    startedAt: Math.round(details.startedAt ?? now),
    ...toPartyColumns(details),
    attributes: toJsonText(details.attributes, MAX_ATTRIBUTES_LENGTH),
    ...(details.definitionHashes && {
      definitionHashes: details.definitionHashes.map((hash) => cut(hash, MAX_NAME_LENGTH)),
    }),
  };
}

/** A tool's definition, and when it was seen. */
export type SeenDefinition = {
  readonly hash: string;
  readonly toolName: string;
  readonly definition: string;
  readonly bytes: number;
  readonly tokens: number;
  readonly tokenMethod: string;
  readonly seenAt: number;
};

export function toSeenDefinition(
  { hash, toolName, definition, bytes, tokens, tokenMethod }: z.output<typeof toolDefinitionSchema>,
  now: number,
): SeenDefinition {
  return {
    hash: cut(hash, MAX_NAME_LENGTH),
    toolName: cut(toolName, MAX_NAME_LENGTH),
    definition: toJsonText(definition, MAX_DEFINITION_LENGTH) ?? "null",
    bytes,
    tokens,
    tokenMethod: cut(tokenMethod, MAX_NAME_LENGTH),
    seenAt: now,
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

/** What zod found wrong, in lines for people; of any other error its message. Never throws. */
export function explainRefusal(error: unknown): string {
  try {
    if (error instanceof ZodError) return z.prettifyError(error);
  } catch {
    // Even to look at an error may throw.
  }
  return messageOf(error);
}
