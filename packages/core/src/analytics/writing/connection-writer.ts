import type { Database } from "bun:sqlite";
import { AnalyticsError, primaryResultCode, toAnalyticsError } from "../errors.ts";
import { WRITE_WAIT_MS, whileBusy } from "../file/busy.ts";
import { assertVersion } from "../file/migrations.ts";
import type { TelemetryRecord } from "../records/record.ts";
import type { SessionStart, ToolCallRow } from "../records/row.ts";
import type { SessionEnd } from "../records/session.ts";
import { conform } from "../records/shape.ts";
import { SHAPES, type Statements, prepareStatements, toDefinitionRow } from "./statements.ts";
import type { Writer } from "./writer.ts";
import type { Rejection } from "./batcher.ts";

/** The result of committing a batch. */
interface Committed {
  readonly rejections: readonly Rejection[];
  /** Number of calls that were not in the file before, or only as abandoned. */
  readonly newCalls: number;
}

/**
 * Writes batches through a connection, one transaction per batch, with prepared statements.
 *
 * Writing a batch twice stores it once: calls have unique ids, and session events are idempotent. A record whose
 * content cannot be stored (wrong type, constraint) is rejected and the others are committed; any other error rolls
 * back the whole batch.
 */
export class ConnectionWriter implements Writer {
  readonly #client: Database;
  readonly #path: string;
  readonly #recorderId: string;
  /** Prepared at the first write. */
  #statements: Statements | undefined;

  constructor(client: Database, path: string, recorderId: string) {
    this.#client = client;
    this.#path = path;
    this.#recorderId = recorderId;
  }

  /** Commits a batch. Retries for 300 ms, without blocking the thread, while another process holds the lock. */
  async write(batch: readonly TelemetryRecord[]): Promise<readonly Rejection[]> {
    try {
      return await whileBusy(
        performance.now() + WRITE_WAIT_MS,
        () => this.commit(batch).rejections,
      );
    } catch (error) {
      throw toAnalyticsError(error, this.#path);
    }
  }

  /** Commits a batch now, without waiting for locks. On an error of SQLite, rolls back and throws it. */
  commit(batch: readonly TelemetryRecord[]): Committed {
    const client = this.#client;
    // IMMEDIATE: once it succeeds, no later statement of the transaction can fail with SQLITE_BUSY.
    client.run("begin immediate");
    try {
      // Checked inside the transaction: a newer Toolmeter may have migrated the file since it was opened.
      assertVersion(client, this.#path);
      const statements = (this.#statements ??= prepareStatements(client));
      const outcome = this.#apply(batch, statements);
      client.run("commit");
      return outcome;
    } catch (error) {
      if (client.inTransaction) client.run("rollback");
      throw error;
    }
  }

  #apply(batch: readonly TelemetryRecord[], statements: Statements): Committed {
    const rejections: Rejection[] = [];
    let newCalls = 0;
    /** The earliest start noted for each session in this batch, so that most calls need no second note. */
    const noted = new Map<string, number>();
    for (const [index, record] of batch.entries()) {
      try {
        if (this.#applyRecord(record, statements, noted)) newCalls += 1;
      } catch (error) {
        // If a trigger rolled back the transaction, the rest of the batch would be stored row by row.
        if (!isRecordsFault(error) || !this.#client.inTransaction) throw error;
        rejections.push({ index, error: toAnalyticsError(error, this.#path) });
      }
    }
    return { rejections, newCalls };
  }

  /** Returns whether the record is a new call. */
  #applyRecord(
    record: TelemetryRecord,
    statements: Statements,
    noted: Map<string, number>,
  ): boolean {
    switch (record.kind) {
      case "tool_call": {
        const row = conform(record.row, SHAPES.tool_call);
        this.#noteSession(row, statements, noted);
        return statements.insertCall.run(row).changes > 0;
      }
      case "session_start":
        startSession(record.row, statements);
        break;
      case "tool_definition":
        statements.seeDefinition.run(conform(toDefinitionRow(record.row), SHAPES.tool_definition));
        break;
      case "session_end": {
        const row = conform(record.row, SHAPES.session_end);
        if (statements.endSession.run(row).changes === 0) throw unknownSession(row, this.#path);
        break;
      }
      case "recorder_end":
        statements.endRecorder.run(conform(record.row, SHAPES.recorder_end));
        break;
      case "recorder_health":
        statements.keepHealth.run(conform(record.row, SHAPES.recorder_health));
    }
    return false;
  }

  /** Ensures that the call's session exists and does not start after the call. */
  #noteSession(call: ToolCallRow, statements: Statements, noted: Map<string, number>): void {
    if (call.sessionId === null) return;
    const earliest = noted.get(call.sessionId);
    if (earliest !== undefined && earliest <= call.startedAt) return;
    statements.noteSession.run({
      id: call.sessionId,
      kind: null,
      recorderId: this.#recorderId,
      startedAt: call.startedAt,
      clientName: call.clientName,
      clientVersion: call.clientVersion,
      serverName: call.serverName,
      serverVersion: call.serverVersion,
      protocolVersion: call.protocolVersion,
      transport: call.transport,
    });
    noted.set(call.sessionId, call.startedAt);
  }
}

/**
 * Whether an error concerns only one record: it is not an error of SQLite, or one of SQLITE_TOOBIG, SQLITE_CONSTRAINT
 * and SQLITE_MISMATCH, which undo only their statement and leave the transaction intact.
 */
function isRecordsFault(error: unknown): boolean {
  const code = primaryResultCode(error);
  return code === undefined || [18, 19, 20].includes(code);
}

function unknownSession({ sessionId }: SessionEnd, path: string): AnalyticsError {
  return new AnalyticsError(
    "unknown_session",
    path,
    `Expected to end a known session, got ${JSON.stringify(sessionId)}. Start it, or record a call in it, first.`,
  );
}

function startSession(
  { definitionHashes = [], ...start }: SessionStart,
  { beginSession, linkDefinition }: Statements,
): void {
  if (!isTexts(definitionHashes)) throw new TypeError("Expected `definitionHashes` to be strings");
  const session = conform(start, SHAPES.session_start);
  beginSession.run(session);
  for (const definitionHash of definitionHashes)
    linkDefinition.run({ sessionId: session.id, definitionHash });
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
