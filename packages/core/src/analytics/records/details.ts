import { toJsonText } from "./json.ts";
import { MAX_ATTRIBUTES_LENGTH } from "./texts.ts";

export interface PayloadPolicy {
  readonly capturePayloads: boolean;
  readonly maxPayloadLength: number;
}

/** The fields of a call that may be of any size and shape. */
export const PAYLOADS = ["arguments", "result", "attributes"] as const;

export type Payloads = { readonly [Key in (typeof PAYLOADS)[number]]?: unknown };

/** A call's payloads as JSON texts; one that is not to be stored is left out. */
export type PayloadTexts = { readonly [Key in keyof Payloads]?: string | undefined };

const NONE: PayloadTexts = {};

/**
 * A validated call, or a part of one, as it travels. Takes copies only: what the caller changes later does
 * not reach it.
 */
export function toCallDetails<Call extends Payloads>(
  call: Call,
  policy: PayloadPolicy,
): Omit<Call, keyof Payloads> & PayloadTexts {
  // Most calls have none of the three, and a spread takes time.
  return hasNoPayloads(call) ? call : { ...call, ...toPayloadTexts(call, policy) };
}

/** The payloads of a call as JSON texts, within their caps. */
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
