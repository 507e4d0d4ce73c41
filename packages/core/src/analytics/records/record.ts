import type { SeenDefinition, SessionEnd } from "./session.ts";
import { type SessionStart, type ToolCallRow, toToolCallRow } from "./row.ts";
import type { CallDetails } from "./metadata.ts";
import { cutTexts, hasLongText } from "./texts.ts";
import type { RecorderHealth as RecorderHealthColumns } from "../schema.ts";

/** A record that is written to the database, in the order in which it was recorded. */
export type TelemetryRecord =
  | { readonly kind: "tool_call"; readonly row: ToolCallRow }
  | { readonly kind: "session_start"; readonly row: SessionStart }
  | { readonly kind: "session_end"; readonly row: SessionEnd }
  | { readonly kind: "tool_definition"; readonly row: SeenDefinition }
  | { readonly kind: "recorder_end"; readonly row: RecorderEnd }
  | { readonly kind: "recorder_health"; readonly row: RecorderHealth };

/** A recorder's counters for one hour. The newest record replaces the previous one. */
export type RecorderHealth = Readonly<RecorderHealthColumns>;

/** Ends every open session of a recorder: at `endedAt`, or each at its last call if that is `null`. */
export type RecorderEnd = {
  readonly recorderId: string;
  readonly endedAt: number | null;
  readonly reason: string;
};

/** The encoded form of a call. */
interface CallLine {
  readonly kind: "tool_call";
  readonly id: string;
  readonly recordedAt: number;
  readonly call: CallDetails;
  readonly arguments?: unknown;
  readonly result?: unknown;
  readonly attributes?: unknown;
}

type Line = CallLine | Exclude<TelemetryRecord, { kind: "tool_call" }>;

const KINDS: readonly string[] = [
  "tool_call",
  "session_start",
  "session_end",
  "tool_definition",
  "recorder_end",
  "recorder_health",
] satisfies readonly Line["kind"][];

/**
 * Encodes a call as one line of JSON, including the newline, for the journal, the queue and the worker.
 *
 * The line is assembled by hand: wrapping the call in an object would traverse it again, and would escape payloads,
 * which are JSON already.
 */
export function encodeCall(id: string, recordedAt: number, call: CallDetails): string {
  const { arguments: input, result, attributes } = call;
  let payloads = "";
  let plain = call;
  if (input !== undefined || result !== undefined || attributes !== undefined) {
    if (input !== undefined) payloads += `,"arguments":${input}`;
    if (result !== undefined) payloads += `,"result":${result}`;
    if (attributes !== undefined) payloads += `,"attributes":${attributes}`;
    plain = { ...call, arguments: undefined, result: undefined, attributes: undefined };
  }
  // Cut before encoding: a text can have any length.
  const text = JSON.stringify(hasLongText(plain) ? cutTexts(plain) : plain);
  return `{"kind":"tool_call","id":"${id}","recordedAt":${recordedAt},"call":${text}${payloads}}\n`;
}

/** Encodes any other record as one line of JSON, including the newline. */
export function encode(record: Exclude<TelemetryRecord, { kind: "tool_call" }>): string {
  return `${JSON.stringify(record)}\n`;
}

/**
 * Decodes a line into its record; surrounding white space is ignored. Throws if the line is not a record. Checks only
 * the fields it reads; `shape.ts` checks every field before it is stored.
 */
export function decode(line: string): TelemetryRecord {
  const parsed: unknown = JSON.parse(line);
  if (!isLine(parsed)) {
    throw new SyntaxError(`Expected a record, got ${JSON.stringify(line.slice(0, 60))}`);
  }
  if (parsed.kind !== "tool_call") return parsed;
  const { id, recordedAt, call } = parsed;
  const hasPayloads = "arguments" in parsed || "result" in parsed || "attributes" in parsed;
  const details = hasPayloads ? { ...call, ...payloadTexts(parsed) } : call;
  return { kind: "tool_call", row: toToolCallRow(id, recordedAt, details) };
}

function isLine(value: unknown): value is Line {
  if (!isObject(value)) return false;
  const { kind, call } = value;
  if (kind !== "tool_call") return KINDS.some((known) => known === kind) && isObject(value["row"]);
  return isObject(call) && typeof call["toolName"] === "string" && call["toolName"] !== "";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function payloadTexts({ arguments: input, result, attributes }: CallLine) {
  return { arguments: toText(input), result: toText(result), attributes: toText(attributes) };
}

/** Restores the JSON text that the payload was parsed from. */
function toText(payload: unknown): string | undefined {
  return payload === undefined ? undefined : JSON.stringify(payload);
}
