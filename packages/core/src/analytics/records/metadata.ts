import { isProxy } from "node:util/types";
import { z, ZodError } from "zod";
import { boundedCopy } from "./bounded-copy.ts";
import { errorMessage as messageOf } from "../errors.ts";
import {
  CONTENT_TYPES,
  type ContentType,
  SESSION_KINDS,
  TOOL_CALL_STATUSES,
} from "../vocabulary.ts";

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

const startFields = {
  toolName: z.string().min(1),
  sessionId: label,
  /** Milliseconds since 1970 UTC. Default: now − `durationMs`. */
  startedAt,
  /** The `hash` of the tool's definition. */
  definitionHash: label,
  /** The JSON-RPC request id; `0` and `"0"` are legal. */
  requestId: z.union([z.string(), z.number()]).optional(),
  traceId: label,
  parentSpanId: label,
  ...partyFields,
};

const outcomeFields = {
  /** Default: `success`. */
  status: z.enum(TOOL_CALL_STATUSES).optional(),
  /** The error's class or kind, such as `TypeError`; OpenTelemetry's `error.type`. */
  errorType: label,
  /** The JSON-RPC error code. */
  errorCode: z.int().optional(),
  errorMessage: label,
};

/** The fields that identify a call, its session and its parties: what is journalled when it starts. */
export const callStartSchema = z.object(startFields);

/** The fields that say how a call ended: what is journalled before the other details of its end are collected. */
export const callOutcomeSchema = z.object(outcomeFields);

/** What a caller says of one finished tool call. Unknown keys are ignored. */
export const toolCallMetadataSchema = z.object({
  ...startFields,
  /** By a monotonic clock, in milliseconds, fractions welcome. */
  durationMs: z.number().min(0),
  ...outcomeFields,
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
  /** The id of the call whose question this one answers; a handle's `id`. */
  continuedFrom: label,
  /** Stored only with `capturePayloads`. */
  arguments: z.unknown().optional(),
  /** Stored only with `capturePayloads`. */
  result: z.unknown().optional(),
  /** Anything else worth a query, stored as JSON. */
  attributes,
});

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

type Payload = "arguments" | "result" | "attributes";

/** A validated call as it travels: its payloads are JSON texts, within their caps. */
export type CallDetails = Omit<z.output<typeof toolCallMetadataSchema>, Payload> & {
  readonly [Key in Payload]?: string | undefined;
};

/** An object of no class; a proxy is let through, because `toJsonText` does not look into it. */
function isProperties(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (isProxy(value)) return true;
  if (Array.isArray(value)) return false;
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
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
