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

/** The result of importing the journals of dead processes. */
export interface Recovery {
  /** Imported records, including those that were in the database already. */
  readonly records: number;
  /** Recorders whose journals were imported. */
  readonly recorders: number;
  /** Files that were moved aside because some of their lines could not be stored. */
  readonly damaged: readonly string[];
}

/** Records of one dead recorder to commit in one transaction. */
export interface RecoveredBatch {
  readonly recorderId: string;
  readonly records: readonly TelemetryRecord[];
}

/**
 * Recovery in steps. Each step yields a batch and is resumed with its rejections, or with the error of its commit.
 * `return()` releases all locks; uncommitted records stay in their files.
 */
export type RecoverySteps = Generator<RecoveredBatch, void, readonly Rejection[]>;

export interface RecoveryOptions {
  readonly path: string;
  readonly warn: (message: string) => void;
  /** Acquires the lock under which one process at a time imports a journal; `undefined` ends the recovery. */
  readonly takeTurn: (lock: string) => FileLock | undefined;
  /** Called after each committed batch with the number of its records. */
  readonly imported: (records: number) => void;
  /** Called after each imported journal with those of its files that were moved aside. */
  readonly finished?: (damaged: readonly string[]) => void;
}

/** Records per transaction; other writers get their turn in between. */
const BATCH_SIZE = 500;

/** Characters of journal lines per transaction, unless a single line is longer. */
const BATCH_LENGTH = 1_048_576;

/**
 * Imports the journals of dead processes. Each record is stored exactly once, because ids are unique. Journals of
 * living processes stay untouched. Records that cannot be written now stay in their files for the next recovery.
 *
 * Blocks the calling thread for at most `timeoutMs` to wait for locks and for a recovery by another process.
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
    imported: (count) => {
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
  if (records > 0) logger.info(`Imported ${records} records from the journals of dead processes.`);
  return { records, recorders, damaged };
}

/**
 * Yields the records of dead recorders in batches. A damaged line affects no other line: its file is renamed to
 * `….damaged` after its records were committed. A file that cannot be read, or that a newer Toolmeter wrote, stays in
 * place.
 */
export function* recoverySteps(options: RecoveryOptions): RecoverySteps {
  const { path, warn, takeTurn } = options;
  const turnLock = recoveryLock(path);
  try {
    for (const recorderId of listRecorders(path)) {
      // Unless a recovery is in progress, only the living recorder itself can hold its lock.
      if (FileLock.isHeld(lockPath(path, recorderId)) && !existsSync(turnLock)) continue;
      const turn = takeTurn(turnLock);
      if (!turn) return;
      try {
        yield* importRecorder(recorderId, options);
      } finally {
        turn.remove();
      }
    }
    // Left by a recovery that was killed, or held by one in progress, for which this waits.
    if (existsSync(turnLock)) takeTurn(turnLock)?.remove();
  } catch (error) {
    warn(
      `The journals of dead processes could not be imported (${errorMessage(error)}). They stay in ${journalDirectory(path)}; the next process that opens the database retries.`,
    );
  }
}

function lockPath(path: string, recorderId: string): string {
  return join(journalDirectory(path), lockName(recorderId));
}

function* importRecorder(recorderId: string, options: RecoveryOptions): RecoverySteps {
  const { path } = options;
  const lock = FileLock.tryAcquire(lockPath(path, recorderId));
  if (!lock) return;
  let isEmpty = false;
  try {
    // List under the lock, because another process may just have imported the files. A process that died at its start
    // leaves none.
    const files = listSegments(path).filter((file) => file.recorderId === recorderId);
    isEmpty = files.length === 0 || (yield* importFiles(files, recorderId, options));
  } finally {
    if (isEmpty) {
      forgetLogOwner(path, recorderId);
      lock.remove();
    } else lock.release();
  }
}

/** Imports the files of one recorder. Returns whether none of them is left. */
function* importFiles(
  files: readonly SegmentFile[],
  recorderId: string,
  { warn, imported, finished }: RecoveryOptions,
): Generator<RecoveredBatch, boolean, readonly Rejection[]> {
  const whole: string[] = [];
  const damaged: string[] = [];
  for (const { path } of files) {
    try {
      const faults = yield* importFile(path, recorderId, imported);
      if (faults.count === 0) whole.push(path);
      else damaged.push(setAside(path, faults, warn));
    } catch (error) {
      if (isDatabaseError(error)) throw error;
      warn(
        `The journal file ${path} could not be read (${errorMessage(error)}). It stays in place; the next process that opens the database retries.`,
      );
    }
  }
  yield {
    recorderId,
    records: [{ kind: "recorder_end", row: { recorderId, endedAt: null, reason: "stale" } }],
  };
  for (const path of whole) rmSync(path, { force: true });
  finished?.(damaged);
  return whole.length + damaged.length === files.length;
}

/** The lines of a file that could not be stored. */
class Faults {
  count = 0;
  first: unknown;

  add(error: unknown): void {
    if (this.count === 0) this.first = error;
    this.count += 1;
  }
}

function* importFile(
  path: string,
  recorderId: string,
  imported: RecoveryOptions["imported"],
): Generator<RecoveredBatch, Faults, readonly Rejection[]> {
  const faults = new Faults();
  let records: TelemetryRecord[] = [];
  let length = 0;
  function* commit(): RecoverySteps {
    const rejections = yield { recorderId, records };
    const refused = rejections.filter(({ error }) => !isHarmless(error));
    for (const { error } of refused) faults.add(error);
    imported(records.length - refused.length);
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

/** The end of an unknown session is not damage; its recorder has counted it. */
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
    `Expected a sound journal, but ${count} lines of ${path} could not be stored (first error: ${errorMessage(first)}). The file was moved to ${aside}; its other lines were imported.`,
  );
  return aside;
}
