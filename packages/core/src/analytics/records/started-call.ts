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

/** What is known of a call while it runs, each fact once. */
export interface StartedCall {
  readonly start: z.output<typeof callStartSchema>;
  readonly payloads: PayloadTexts;
  /** Validated with the call's end: the tool waits for its start, and the schema of a whole call takes 3 times as long. */
  readonly others: Fields;
}

/** Validates and copies what is said of a call when it starts. Throws a ZodError that says what is wrong. */
export function toStartedCall(
  said: Metadata,
  recordedAt: number,
  policy: PayloadPolicy,
): StartedCall {
  const start = callStartSchema.parse(said);
  start.startedAt ??= recordedAt;
  return {
    start,
    payloads: toPayloadTexts(said, policy),
    others: pick(said, OTHER_FIELDS),
  };
}

/** The call as it is recorded if its end never comes. */
export function abandoned({ start, payloads }: StartedCall, durationMs: number): CallDetails {
  return { ...start, ...payloads, durationMs, status: "abandoned" };
}

/** The call with the outcome of its end, before the rest of the end is known. Throws if the outcome is invalid. */
export function withOutcome(
  { start, payloads }: StartedCall,
  end: Metadata,
  durationMs: number,
): CallDetails {
  return { ...start, ...payloads, durationMs, ...callOutcomeSchema.parse(end) };
}

/** The call with its end, whose fields win over those of the start. Throws a ZodError if any is invalid. */
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

/** The fields that a call has, undefined ones left out. */
export function knownFields(said: Metadata | null): Fields {
  return said === null ? {} : pick(said, FIELDS);
}

/** Reads each of these fields once, and no other: there may be a million. */
function pick(said: Metadata, keys: readonly (keyof ToolCallMetadata)[]): Fields {
  const picked: Record<string, unknown> = {};
  for (const key of keys) {
    const value: unknown = said[key];
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}
