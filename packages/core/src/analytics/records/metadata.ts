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
/** Not `z.record`, which copies every property of an object of any size. */
const attributes = z
  .custom<Record<string, unknown>>(isProperties, "Invalid input: expected an object of properties")
  .optional();
/** Up to the end of the year 9999, the limit of SQLite's date functions. */
const startedAt = z.number().min(0).max(253_402_300_799_999).optional();

const outputContentTypes = z
  .custom<Partial<Record<ContentType, number>>>()
  .transform((types) => boundedCopy(types, { nodes: 32, characters: 1_024 }).value)
  .pipe(z.partialRecord(z.enum(CONTENT_TYPES), z.int().min(0)))
  .optional();

/** Maximum number of definitions per session start; another start of the same session can add more. */
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

/** The fields that identify a call, its session and its parties; they are journalled when the call starts. */
export const callStartSchema = z.object(startFields);

/** The fields that describe how a call ended; they are journalled before its other details are collected. */
export const callOutcomeSchema = z.object(outcomeFields);

/** Validates the description of one finished tool call. Unknown keys are ignored. */
export const toolCallMetadataSchema = z.object({
  ...startFields,
  /** Measured with a monotonic clock, in milliseconds; may be fractional. */
  durationMs: z.number().min(0),
  ...outcomeFields,
  inputBytes: count,
  outputBytes: count,
  inputTokens: count,
  outputTokens: count,
  /** How the tokens were counted or estimated. */
  tokenMethod: label,
  /** Number of content blocks per type in the result. */
  outputContentTypes,
  cacheHit: z.boolean().optional(),
  /** Equal for equal arguments. Use a hash from which the arguments cannot be guessed. */
  argumentHash: label,
  /** Equal for arguments with the same keys and types. */
  argumentShapeHash: label,
  /** The id of the call whose request for input this call answers; a handle's `id`. */
  continuedFrom: label,
  /** Stored only with `capturePayloads`. */
  arguments: z.unknown().optional(),
  /** Stored only with `capturePayloads`. */
  result: z.unknown().optional(),
  /** Any other data worth querying, stored as JSON. */
  attributes,
});

/** Validates the description of a session. Every field is optional. */
export const sessionDetailsSchema = z.object({
  startedAt,
  /** `session` if the protocol names it, otherwise `connection`. */
  kind: z.enum(SESSION_KINDS).optional(),
  ...partyFields,
  attributes,
  /**
   * Hashes of the tool definitions that the client received. Only the first 1,000 are read; another start can add more.
   */
  definitionHashes,
});

/** Validates the description of a tool definition. */
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

/** A validated call whose payloads are JSON texts within their length limits. */
export type CallDetails = Omit<z.output<typeof toolCallMetadataSchema>, Payload> & {
  readonly [Key in Payload]?: string | undefined;
};

/** Whether a value is a plain object. A proxy counts as one, because `toJsonText` does not read its content. */
function isProperties(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (isProxy(value)) return true;
  if (Array.isArray(value)) return false;
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Formats zod's findings as readable lines; returns the message of any other error. Never throws. */
export function explainRefusal(error: unknown): string {
  try {
    if (error instanceof ZodError) return z.prettifyError(error);
  } catch {
    // Reading a thrown value can throw.
  }
  return messageOf(error);
}
