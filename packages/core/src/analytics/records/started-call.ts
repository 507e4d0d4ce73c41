import type { z } from "zod";
import {
  PAYLOADS,
  type PayloadPolicy,
  type PayloadTexts,
  toCallDetails,
  toPayloadTexts,
} from "./details.ts";
import {
  type CallDetails,
  type ToolCallMetadata,
  callOutcomeSchema,
  callStartSchema,
  toolCallMetadataSchema,
} from "./metadata.ts";

type Metadata = Partial<ToolCallMetadata>;

/** Fields of a call that are not validated yet. */
type Fields = Readonly<Record<string, unknown>>;

const FIELDS = toolCallMetadataSchema.keyof().options;
const OTHER_FIELDS = FIELDS.filter(
  (key) => !Object.hasOwn(callStartSchema.shape, key) && !PAYLOADS.some((known) => known === key),
);

/** The known fields of a running call, each stored once. */
export interface StartedCall {
  readonly start: z.output<typeof callStartSchema>;
  readonly payloads: PayloadTexts;
  /** Validated when the call ends: the tool waits for the start, and validating a whole call takes 3 times as long. */
  readonly others: Fields;
}

/** Validates and copies the metadata of a call that starts. Throws a ZodError if it is invalid. */
export function toStartedCall(
  metadata: Metadata,
  recordedAt: number,
  policy: PayloadPolicy,
): StartedCall {
  const start = callStartSchema.parse(metadata);
  start.startedAt ??= recordedAt;
  return {
    start,
    payloads: toPayloadTexts(metadata, policy),
    others: pick(metadata, OTHER_FIELDS),
  };
}

/** Returns the call as it is recorded if it never ends. */
export function abandoned({ start, payloads }: StartedCall, durationMs: number): CallDetails {
  return { ...start, ...payloads, durationMs, status: "abandoned" };
}

/** Returns the call with its outcome, before its other end details are known. Throws if the outcome is invalid. */
export function withOutcome(
  { start, payloads }: StartedCall,
  end: Metadata,
  durationMs: number,
): CallDetails {
  return { ...start, ...payloads, durationMs, ...callOutcomeSchema.parse(end) };
}

/** Returns the whole call; fields of the end override those of the start. Throws a ZodError if any field is invalid. */
export function ended(
  { start, payloads, others }: StartedCall,
  end: Fields,
  policy: PayloadPolicy,
): CallDetails {
  const call = toolCallMetadataSchema.parse({ ...start, ...others, ...end });
  const details = toCallDetails(call, policy);
  return {
    ...details,
    arguments: details.arguments ?? payloads.arguments,
    result: details.result ?? payloads.result,
    attributes: details.attributes ?? payloads.attributes,
  };
}

/** Picks the fields of a call, without undefined ones and unknown keys. */
export function knownFields(metadata: Metadata | null): Fields {
  return metadata === null ? {} : pick(metadata, FIELDS);
}

/** Reads each listed field once and no other key, because the object can have a million keys. */
function pick(metadata: Metadata, keys: readonly (keyof ToolCallMetadata)[]): Fields {
  const picked: Record<string, unknown> = {};
  for (const key of keys) {
    const value: unknown = metadata[key];
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}
