import type { SessionEnd } from "./metadata.ts";
import {
  type CallDetails,
  type SessionRow,
  type ToolCallRow,
  cutTexts,
  toToolCallRow,
} from "./row.ts";
import type { RecorderHealth as RecorderHealthColumns } from "./schema.ts";

/** What is written, in order. */
export type TelemetryRecord =
  | { readonly kind: "tool_call"; readonly row: ToolCallRow }
  | { readonly kind: "session_start"; readonly row: SessionRow }
  | { readonly kind: "session_end"; readonly row: SessionEnd }
  | { readonly kind: "recorder_end"; readonly row: RecorderEnd }
  | { readonly kind: "recorder_health"; readonly row: RecorderHealth };

/** The newest word of a recorder on its hour replaces the one before. */
export type RecorderHealth = Readonly<RecorderHealthColumns>;

/** The end of every session that a recorder opened and nobody ended; each at its last call, if no time is told. */
export type RecorderEnd = {
  readonly recorderId: string;
  readonly endedAt: number | null;
  readonly reason: string;
};

/** A call before it is a row. */
interface CallLine {
  readonly kind: "tool_call";
  readonly id: string;
  readonly recordedAt: number;
  readonly call: CallDetails;
}

type Line = CallLine | Exclude<TelemetryRecord, { kind: "tool_call" }>;

const KINDS: readonly string[] = [
  "tool_call",
  "session_start",
  "session_end",
  "recorder_end",
  "recorder_health",
] satisfies readonly Line["kind"][];

/** A call's line above this length may hold a text that is longer than is stored of it. */
const MAX_PLAIN_LENGTH = 4_096;

/** A call as one line of JSON, without the line's end: in the journal, in the queue, to the worker. */
export function encodeCall(id: string, recordedAt: number, call: CallDetails): string {
  let text = JSON.stringify(call);
  if (text.length > MAX_PLAIN_LENGTH) text = JSON.stringify(cutTexts(call));
  // By hand: an object around it would be walked once more.
  return `{"kind":"tool_call","id":"${id}","recordedAt":${recordedAt},"call":${text}}`;
}

/** Any other record as one line of JSON. */
export function encode(record: Exclude<TelemetryRecord, { kind: "tool_call" }>): string {
  return JSON.stringify(record);
}

/**
 * The record of a line. Throws if the line is none of ours; what a damaged line may still claim is for the
 * database's constraints to refuse.
 */
export function decode(line: string): TelemetryRecord {
  const parsed: Line = JSON.parse(line);
  if (!KINDS.includes(parsed?.kind)) {
    throw new SyntaxError(`Expected a record, got ${JSON.stringify(line.slice(0, 60))}`);
  }
  if (parsed.kind !== "tool_call") return parsed;
  return { kind: "tool_call", row: toToolCallRow(parsed.id, parsed.recordedAt, parsed.call) };
}
