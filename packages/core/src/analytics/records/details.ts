import { TOOL_CALL_STATUSES } from "../vocabulary.ts";
import { toJsonText } from "./json.ts";
import {
  type CallDetails,
  type ToolCallMetadata,
  startedAtSchema,
  toolCallMetadataSchema,
} from "./metadata.ts";
import { MAX_ATTRIBUTES_LENGTH } from "./texts.ts";

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
  const isTime = begunAt !== undefined && startedAtSchema.safeParse(begunAt).success;
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

function hasNoPayloads<Call extends Payloads>(
  call: Call,
): call is Call & { readonly [Key in keyof Payloads]?: undefined } {
  return call.arguments === undefined && call.result === undefined && call.attributes === undefined;
}
