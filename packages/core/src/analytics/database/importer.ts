import { COMMAND_WAIT_MS, whileBusySync } from "../file/busy.ts";
import type { AnalyticsDb } from "./database.ts";
import { toAnalyticsError } from "../errors.ts";
import { toJsonText } from "../records/json.ts";
import {
  type SessionDetails,
  type ToolCallMetadata,
  type ToolDefinition,
  explainRefusal,
  sessionDetailsSchema,
  toolCallMetadataSchema,
  toolDefinitionSchema,
} from "../records/metadata.ts";
import { toSeenDefinition, toSessionStart } from "../records/session.ts";
import type { TelemetryRecord } from "../records/record.ts";
import { toToolCallRow } from "../records/row.ts";
import { ConnectionWriter } from "../writing/connection-writer.ts";

/** Records per transaction. */
const BATCH_SIZE = 500;

/** Characters of payloads per transaction, because a batch is held in memory. */
const MAX_BATCH_LENGTH = 4 * 1_048_576;

/** A call that was recorded elsewhere. */
export interface RecordedToolCall extends ToolCallMetadata {
  /** The call's original id. A call whose id is in the database already is not stored again. */
  readonly id: string;
  readonly startedAt: number;
}

/** A session that was recorded elsewhere. */
export interface RecordedSession extends SessionDetails {
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly endReason?: string;
}

/** A record whose content the database refused. */
interface RefusedRecord {
  /** The call as passed to `toolCall`; `undefined` for a session or a definition. */
  readonly call: RecordedToolCall | undefined;
  readonly error: unknown;
}

interface ImporterOptions {
  /** Longest wait for other processes' locks, in milliseconds. Minimum: 0. @default 10_000 */
  readonly lockTimeoutMs?: number;
  /**
   * Called for each refused record, after the rest of its transaction is stored.
   * @default throws the first refusal of a transaction, after the rest of it is stored
   */
  readonly onRefused?: (refused: RefusedRecord) => void;
}

/** Counts of the calls passed to an `Importer`. */
interface ImportCounts {
  /** Committed by this importer, because they were not in the database, or only as `abandoned`. */
  readonly stored: number;
  /** Skipped, because they were in the database already. */
  readonly known: number;
  /** Refused by the database. */
  readonly refused: number;
  /** Not committed yet. */
  readonly waiting: number;
}

interface Waiting {
  readonly record: TelemetryRecord;
  readonly call: RecordedToolCall | undefined;
}

/**
 * Imports records with their original ids and times, in transactions of about 500 records.
 *
 * Importing a record again changes nothing. Payloads are stored whole. Methods throw a `TypeError` for invalid input,
 * which is not imported, and an `AnalyticsError` if the database fails. No record is lost to such a failure: accepted
 * records stay in memory, and the next method call or `commit` retries. A method that throws an `AnalyticsError` did
 * not accept its arguments: call it again.
 */
export class Importer {
  readonly #path: string;
  readonly #writer: ConnectionWriter;
  readonly #options: ImporterOptions;
  readonly #recorderId = Bun.randomUUIDv7();
  #batch: Waiting[] = [];
  #batchLength = 0;
  #calls = 0;
  #stored = 0;
  #refused = 0;

  constructor(db: AnalyticsDb, options: ImporterOptions = {}) {
    this.#path = db.path;
    this.#options = options;
    this.#writer = new ConnectionWriter(db.$client, db.path, this.#recorderId);
  }

  /** The counts so far. */
  get counts(): ImportCounts {
    const waiting = this.#batch.filter(({ record }) => record.kind === "tool_call").length;
    const known = this.#calls - this.#stored - this.#refused - waiting;
    return { stored: this.#stored, known, refused: this.#refused, waiting };
  }

  toolCall(call: RecordedToolCall): void {
    const { id, ...metadata } = call;
    const {
      arguments: input,
      result,
      attributes,
      ...details
    } = parse(() => toolCallMetadataSchema.parse(metadata));
    const row = toToolCallRow(id, call.startedAt, {
      ...details,
      arguments: toText(input),
      result: toText(result),
      attributes: toText(attributes),
    });
    this.#add([{ record: { kind: "tool_call", row }, call }]);
    this.#calls += 1;
  }

  session(id: string, { endedAt, endReason, ...session }: RecordedSession): void {
    const details = parse(() => sessionDetailsSchema.parse(session));
    const row = toSessionStart(id, this.#recorderId, details, session.startedAt);
    const start: TelemetryRecord = { kind: "session_start", row };
    const ends: readonly TelemetryRecord[] =
      endedAt === undefined
        ? []
        : [
            {
              kind: "session_end",
              row: { sessionId: row.id, endedAt, reason: endReason ?? null },
            },
          ];
    this.#add([start, ...ends].map((record) => ({ record, call: undefined })));
  }

  toolDefinition(definition: ToolDefinition, seenAt: number): void {
    const row = toSeenDefinition(
      parse(() => toolDefinitionSchema.parse(definition)),
      seenAt,
    );
    this.#add([{ record: { kind: "tool_definition", row }, call: undefined }]);
  }

  /** Commits the waiting records. Call it at the end, and again after an `AnalyticsError`. */
  commit(): void {
    const batch = this.#batch;
    if (batch.length === 0) return;
    const { rejections, newCalls } = this.#write(batch.map(({ record }) => record));
    this.#batch = [];
    this.#batchLength = 0;
    this.#stored += newCalls;
    const refused = rejections.map(({ index, error }) => ({ call: batch[index]?.call, error }));
    this.#refused += refused.filter(({ call }) => call !== undefined).length;
    const { onRefused } = this.#options;
    if (onRefused) for (const refusal of refused) onRefused(refusal);
    else if (refused[0]) throw refused[0].error;
  }

  #write(records: readonly TelemetryRecord[]) {
    const { lockTimeoutMs = COMMAND_WAIT_MS } = this.#options;
    try {
      return whileBusySync(performance.now() + lockTimeoutMs, () => this.#writer.commit(records));
    } catch (error) {
      throw toAnalyticsError(error, this.#path);
    }
  }

  /** Commits a full batch before adding, so that after a failure the new records are still with the caller. */
  #add(waiting: readonly Waiting[]): void {
    if (this.#batch.length >= BATCH_SIZE || this.#batchLength >= MAX_BATCH_LENGTH) this.commit();
    this.#batch.push(...waiting);
    for (const { record } of waiting) this.#batchLength += lengthOf(record);
  }
}

/** Runs a parse step; throws a TypeError with a readable message instead of zod's error. */
function parse<Output>(step: () => Output): Output {
  try {
    return step();
  } catch (error) {
    throw new TypeError(explainRefusal(error), { cause: error });
  }
}

/** Converts a payload to JSON text without truncating it: its recorder has done that already. */
function toText(payload: unknown): string | undefined {
  return toJsonText(payload, Number.POSITIVE_INFINITY) ?? undefined;
}

/** The length of a record's payloads. */
function lengthOf({ kind, row }: TelemetryRecord): number {
  if (kind !== "tool_call") return 0;
  return [row.arguments, row.result, row.attributes].reduce(
    (sum, text) => sum + (text?.length ?? 0),
    0,
  );
}
