import { whileBusySync } from "./busy.ts";
import type { AnalyticsDb } from "./database.ts";
import { toAnalyticsError } from "./errors.ts";
import {
  type SessionDetails,
  type ToolCallMetadata,
  type ToolDefinition,
  sessionDetailsSchema,
  toCallDetails,
  toSeenDefinition,
  toSessionStart,
  toolCallMetadataSchema,
  toolDefinitionSchema,
} from "./metadata.ts";
import type { TelemetryRecord } from "./record.ts";
import { toToolCallRow } from "./row.ts";
import { Writer } from "./writer.ts";

/** Records a transaction. */
const BATCH_SIZE = 500;

/** Longest wait for other processes' locks, in milliseconds. */
const BUSY_WAIT_MS = 10_000;

/** Longest payload, in characters: what is stored elsewhere was cut there. */
const MAX_PAYLOAD_LENGTH = 1_048_576;

/** A call as it was recorded elsewhere. */
export interface RecordedToolCall extends ToolCallMetadata {
  /** The id it has there: a call that is here already is not stored again. */
  readonly id: string;
  readonly startedAt: number;
}

/** A session as it was recorded elsewhere. */
export interface RecordedSession extends SessionDetails {
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly endReason?: string;
}

/**
 * Stores what was recorded elsewhere, with the ids and times it has there, in transactions of 500 records.
 *
 * Storing the same again changes nothing. Every method throws on what makes no sense, and on what the database says;
 * what was committed before stays.
 */
export class Importer {
  readonly #path: string;
  readonly #writer: Writer;
  readonly #recorderId = Bun.randomUUIDv7();
  #batch: TelemetryRecord[] = [];

  constructor(db: AnalyticsDb) {
    this.#path = db.path;
    this.#writer = new Writer(db.$client, db.path, this.#recorderId);
  }

  toolCall({ id, ...call }: RecordedToolCall): void {
    const policy = { capturePayloads: true, maxPayloadLength: MAX_PAYLOAD_LENGTH };
    const details = toCallDetails(toolCallMetadataSchema.parse(call), policy);
    this.#add({ kind: "tool_call", row: toToolCallRow(id, call.startedAt, details) });
  }

  session(id: string, { endedAt, endReason, ...session }: RecordedSession): void {
    const details = sessionDetailsSchema.parse(session);
    const row = toSessionStart(id, this.#recorderId, details, session.startedAt);
    this.#add({ kind: "session_start", row });
    if (endedAt === undefined) return;
    const end = { sessionId: row.id, endedAt, reason: endReason ?? null };
    this.#add({ kind: "session_end", row: end });
  }

  toolDefinition(definition: ToolDefinition, seenAt: number): void {
    const row = toSeenDefinition(toolDefinitionSchema.parse(definition), seenAt);
    this.#add({ kind: "tool_definition", row });
  }

  /** Commits what waits. Call it at the end. */
  commit(): void {
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length === 0) return;
    try {
      const [rejection] = whileBusySync(performance.now() + BUSY_WAIT_MS, () =>
        this.#writer.commit(batch),
      );
      if (rejection) throw rejection.error;
    } catch (error) {
      throw toAnalyticsError(error, this.#path);
    }
  }

  #add(record: TelemetryRecord): void {
    this.#batch.push(record);
    if (this.#batch.length >= BATCH_SIZE) this.commit();
  }
}
