import type { ToolCallStatus } from "../vocabulary.ts";
import { JournalFollower } from "../journal/follower.ts";
import { isAlive } from "../database/reader.ts";
import type { CallSummary } from "./calls.ts";

/** A call from the journal of a living process; it may not be in the database yet. */
export type LiveCall = Omit<CallSummary, "sequence">;

export interface LiveCalls {
  /** Calls that ended since the last poll. A call may appear again when more of its details are known. */
  readonly ended: readonly LiveCall[];
  /** Calls that are running now, oldest first; their `durationMs` is 0. */
  readonly running: readonly LiveCall[];
}

const IN_FLIGHT: ToolCallStatus = "abandoned";

/**
 * Follows the calls of all living recorders of a database in their journals, about five seconds before they are written
 * to the database.
 */
export class LiveCallFollower {
  readonly #path: string;
  readonly #follower: JournalFollower;
  readonly #running = new Map<string, { readonly call: LiveCall; readonly recorderId: string }>();

  constructor(path: string) {
    this.#path = path;
    this.#follower = new JournalFollower(path);
  }

  poll(): LiveCalls {
    const ended = new Map<string, LiveCall>();
    for (const { recorderId, record } of this.#follower.poll()) {
      if (record.kind !== "tool_call") continue;
      const call = toLiveCall(record.row);
      if (call.status === IN_FLIGHT) this.#running.set(call.id, { call, recorderId });
      else {
        this.#running.delete(call.id);
        // The outcome comes first and the sizes in a later line, so the last line wins.
        ended.set(call.id, call);
      }
    }
    const alive = new Map<string, boolean>();
    for (const [id, { recorderId }] of this.#running) {
      const lives = alive.get(recorderId) ?? isAlive(this.#path, recorderId);
      alive.set(recorderId, lives);
      if (!lives) this.#running.delete(id);
    }
    return {
      ended: [...ended.values()],
      running: [...this.#running.values()].map(({ call }) => call),
    };
  }
}

function toLiveCall(row: {
  readonly [Field in keyof LiveCall]: LiveCall[Field];
}): LiveCall {
  return {
    id: row.id,
    startedAt: row.startedAt,
    toolName: row.toolName,
    status: row.status,
    durationMs: row.durationMs,
    errorType: row.errorType,
    errorCode: row.errorCode,
    errorMessage: row.errorMessage,
    inputBytes: row.inputBytes,
    outputBytes: row.outputBytes,
    outputTokens: row.outputTokens,
    sessionId: row.sessionId,
    clientName: row.clientName,
    serverName: row.serverName,
  };
}
