import { toJsonText } from "./json.ts";
import { MAX_ATTRIBUTES_LENGTH } from "./texts.ts";

export interface PayloadPolicy {
  readonly capturePayloads: boolean;
  readonly maxPayloadLength: number;
}

/** The fields of a call that can have any size and shape. */
export const PAYLOADS = ["arguments", "result", "attributes"] as const;

export type Payloads = { readonly [Key in (typeof PAYLOADS)[number]]?: unknown };

/** A call's payloads as JSON texts, without those that the policy does not store. */
export type PayloadTexts = { readonly [Key in keyof Payloads]?: string | undefined };

const NONE: PayloadTexts = {};

/**
 * Returns a validated call, or a part of one, with its payloads as JSON texts. The result shares no mutable data with
 * the caller: later changes do not affect it.
 */
export function toCallDetails<Call extends Payloads>(
  call: Call,
  policy: PayloadPolicy,
): Omit<Call, keyof Payloads> & PayloadTexts {
  // Most calls have no payload, and a spread is costly.
  return hasNoPayloads(call) ? call : { ...call, ...toPayloadTexts(call, policy) };
}

/** Converts a call's payloads to JSON texts within their length limits. */
export function toPayloadTexts(
  { arguments: input, result, attributes }: Payloads,
  { capturePayloads, maxPayloadLength }: PayloadPolicy,
): PayloadTexts {
  if (input === undefined && result === undefined && attributes === undefined) return NONE;
  const text = (payload: unknown) =>
    (capturePayloads ? toJsonText(payload, maxPayloadLength) : null) ?? undefined;
  return {
    arguments: text(input),
    result: text(result),
    attributes: toJsonText(attributes, MAX_ATTRIBUTES_LENGTH) ?? undefined,
  };
}

function hasNoPayloads<Call extends Payloads>(
  call: Call,
): call is Call & { readonly [Key in keyof Payloads]?: undefined } {
  return call.arguments === undefined && call.result === undefined && call.attributes === undefined;
}
