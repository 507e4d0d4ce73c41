import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { whileBusySync } from "../file/busy.ts";
import type { Connection } from "../file/connection.ts";
import { analyticsErrorCode, errorMessage, primaryResultCode } from "../errors.ts";
import { forgetLogOwner } from "../file/log-owner.ts";
import { journalDirectory, lockName } from "../file/journal-directory.ts";
import { FileLock } from "../file/lock.ts";
import type { Logger } from "../logger.ts";
import type { TelemetryRecord } from "../records/record.ts";
import {
  type SegmentFile,
  listRecorders,
  listSegments,
  readSegment,
  recoveryLock,
} from "../journal/segments.ts";
import { ConnectionWriter } from "./connection-writer.ts";
import type { Rejection } from "./batcher.ts";

/** What was found in the journals of processes that died. */
export interface Recovery {
  /** Records taken in; those that were in the database already are counted too. */
  readonly records: number;
  /** Recorders whose journals were taken in. */
  readonly recorders: number;
  /** Files that were moved aside, because not all of what they hold could be stored. */
  readonly damaged: readonly string[];
}

/** Records of one dead recorder that are to be committed in one transaction. */
export interface RecoveredBatch {
  readonly recorderId: string;
  readonly records: readonly TelemetryRecord[];
}

/**
 * Recovery in steps: each yields a batch, and is resumed with its rejections, or with the error of its commit.
 * `return()` lets go of all locks; what was not committed stays in its file.
 */
export type RecoverySteps = Generator<RecoveredBatch, void, readonly Rejection[]>;

export interface RecoveryOptions {
  readonly path: string;
  readonly warn: (message: string) => void;
  /** Gets the lock under which one process at a time takes in a journal; `undefined` ends the recovery. */
  readonly takeTurn: (lock: string) => FileLock | undefined;
  /** Told of each batch that was committed. */
  readonly took: (records: number) => void;
  /** Told of each journal that was taken in, and of the files of it that were moved aside. */
  readonly finished?: (damaged: readonly string[]) => void;
}

/** Records a transaction: others that write get their turn in between. */
const BATCH_SIZE = 500;

/** Characters of journal lines a transaction, but for a longer line alone. */
const BATCH_LENGTH = 1_048_576;

/**
 * Takes in what dead processes left in their journals: exactly once, since ids are unique. The journals of
 * living processes are left alone, and so is what cannot be written now: the next recovery tries again.
 *
 * Waits for locks, and for another process that recovers, in the calling thread for at most `timeoutMs`.
 */
export function recover(
  path: string,
  { client }: Pick<Connection, "client">,
  logger: Logger,
  timeoutMs: number,
): Recovery {
  const deadline = performance.now() + timeoutMs;
  let records = 0;
  let recorders = 0;
  const damaged: string[] = [];
  const steps = recoverySteps({
    path,
    warn: (message) => void logger.warn(message),
    takeTurn: (lock) => FileLock.acquire(lock, deadline - performance.now()),
    took: (count) => {
      records += count;
    },
    finished: (files) => {
      recorders += 1;
      damaged.push(...files);
    },
  });
  let writer: { readonly recorderId: string; readonly writer: ConnectionWriter } | undefined;
  const writerOf = (recorderId: string): ConnectionWriter => {
    if (writer?.recorderId !== recorderId) {
      writer = { recorderId, writer: new ConnectionWriter(client, path, recorderId) };
    }
    return writer.writer;
  };
  const commit = (batch: RecoveredBatch): IteratorResult<RecoveredBatch, void> => {
    let rejections: readonly Rejection[];
    try {
      const current = writerOf(batch.recorderId);
      rejections = whileBusySync(deadline, () => current.commit(batch.records).rejections);
    } catch (error) {
      return steps.throw(error);
    }
    return steps.next(rejections);
  };
  for (let step = steps.next(); !step.done; step = commit(step.value));
  if (records > 0) logger.info(`Took in ${records} records from the journals of ended processes.`);
  return { records, recorders, damaged };
}

/**
 * A damaged line costs no other line: the file that holds it is moved aside under the name `….damaged` after
 * its records were committed. A file that cannot be read, or that a newer Toolmeter wrote, stays.
 */
export function* recoverySteps(options: RecoveryOptions): RecoverySteps {
  const { path, warn, takeTurn } = options;
  const turnLock = recoveryLock(path);
  try {
    for (const recorderId of listRecorders(path)) {
      // Held by the recorder itself, unless somebody takes it in.
      if (FileLock.isHeld(lockPath(path, recorderId)) && !existsSync(turnLock)) continue;
      const turn = takeTurn(turnLock);
      if (!turn) return;
      try {
        yield* takeInRecorder(recorderId, options);
      } finally {
        turn.remove();
      }
    }
    // Of a recovery that was killed, or of one that is under way: then this waits for its end.
    if (existsSync(turnLock)) takeTurn(turnLock)?.remove();
  } catch (error) {
    warn(
      `The journals of ended processes could not be taken in (${errorMessage(error)}). They stay in ${journalDirectory(path)}; the next process that opens the database tries again.`,
    );
  }
}

function lockPath(path: string, recorderId: string): string {
  return join(journalDirectory(path), lockName(recorderId));
}

function* takeInRecorder(recorderId: string, options: RecoveryOptions): RecoverySteps {
  const { path } = options;
  const lock = FileLock.tryAcquire(lockPath(path, recorderId));
  if (!lock) return;
  let isEmpty = false;
  try {
    // Listed under the lock: somebody may just have taken it in. None is left by a process that died at its start.
    const files = listSegments(path).filter((file) => file.recorderId === recorderId);
    isEmpty = files.length === 0 || (yield* takeInFiles(files, recorderId, options));
  } finally {
    if (isEmpty) {
      forgetLogOwner(path, recorderId);
      lock.remove();
    } else lock.release();
  }
}

/** Returns whether none of the files is left. */
function* takeInFiles(
  files: readonly SegmentFile[],
  recorderId: string,
  { warn, took, finished }: RecoveryOptions,
): Generator<RecoveredBatch, boolean, readonly Rejection[]> {
  const taken: string[] = [];
  const damaged: string[] = [];
  for (const { path } of files) {
    try {
      const faults = yield* takeInFile(path, recorderId, took);
      if (faults.count === 0) taken.push(path);
      else damaged.push(setAside(path, faults, warn));
    } catch (error) {
      if (isDatabaseError(error)) throw error;
      warn(
        `The journal file ${path} could not be read (${errorMessage(error)}). It stays there; the next process that opens the database tries again.`,
      );
    }
  }
  yield {
    recorderId,
    records: [{ kind: "recorder_end", row: { recorderId, endedAt: null, reason: "stale" } }],
  };
  for (const path of taken) rmSync(path, { force: true });
  finished?.(damaged);
  return taken.length + damaged.length === files.length;
}

/** What of a file could not be stored. */
class Faults {
  count = 0;
  first: unknown;

  add(error: unknown): void {
    if (this.count === 0) this.first = error;
    this.count += 1;
  }
}

function* takeInFile(
  path: string,
  recorderId: string,
  took: RecoveryOptions["took"],
): Generator<RecoveredBatch, Faults, readonly Rejection[]> {
  const faults = new Faults();
  let records: TelemetryRecord[] = [];
  let length = 0;
  function* commit(): RecoverySteps {
    const rejections = yield { recorderId, records };
    const refused = rejections.filter(({ error }) => !isHarmless(error));
    for (const { error } of refused) faults.add(error);
    took(records.length - refused.length);
    records = [];
    length = 0;
  }
  for (const line of readSegment(path)) {
    if ("error" in line) {
      faults.add(line.error);
      continue;
    }
    records.push(line.record);
    length += line.length;
    if (records.length >= BATCH_SIZE || length >= BATCH_LENGTH) yield* commit();
  }
  if (records.length > 0) yield* commit();
  return faults;
}

/** The end of a session that nobody started is counted by its recorder, and no damage. */
function isHarmless(error: unknown): boolean {
  return analyticsErrorCode(error) === "unknown_session";
}

function isDatabaseError(error: unknown): boolean {
  return primaryResultCode(error) !== undefined || analyticsErrorCode(error) !== undefined;
}

function setAside(path: string, { count, first }: Faults, warn: RecoveryOptions["warn"]): string {
  const aside = `${path}.damaged`;
  renameSync(path, aside);
  warn(
    `Expected a journal, but ${count} lines of ${path} could not be stored (the first: ${errorMessage(first)}). The file is now ${aside}; its other lines were taken in.`,
  );
  return aside;
}
