import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { whileBusySync } from "./busy.ts";
import type { Connection } from "./connection.ts";
import { errorMessage } from "./errors.ts";
import { forgetLogOwner } from "./log-owner.ts";
import { journalDirectory, lockName } from "./journal.ts";
import { FileLock } from "./lock.ts";
import type { Logger } from "./logger.ts";
import type { TelemetryRecord } from "./record.ts";
import { type SegmentFile, listSegments, readSegment } from "./segments.ts";
import { type RecordRejection, Writer } from "./writer.ts";

/** What was found in the journals of processes that died. */
export interface Recovery {
  /** Records taken in; those that were in the database already are counted too. */
  readonly records: number;
  /** Recorders whose journals were taken in. */
  readonly recorders: number;
  /** Files that were moved aside, because not all of what they hold could be read. */
  readonly damaged: readonly string[];
}

/** Records a transaction: others that write get their turn in between. */
const BATCH_SIZE = 500;

/**
 * Takes in what dead processes left in their journals: exactly once, since ids are unique. The journals of
 * living ones are left alone; so is what cannot be written now, for the next one who opens.
 *
 * A torn last line was never accepted and is dropped. A file with anything else that cannot be read, or
 * that the database refuses, is moved aside under the name `….damaged` after the rest of it was taken in.
 */
export function recover(
  path: string,
  { client }: Pick<Connection, "client">,
  logger: Logger,
  timeoutMs: number,
): Recovery {
  const deadline = performance.now() + timeoutMs;
  const directory = journalDirectory(path);
  const damaged: string[] = [];
  let records = 0;
  let recorders = 0;
  const segments = Map.groupBy(listSegments(path), ({ recorderId }) => recorderId);
  for (const [recorderId, files] of segments) {
    try {
      const lock = FileLock.tryAcquire(join(directory, lockName(recorderId)));
      if (!lock) continue;
      try {
        const commit = committer(new Writer(client, path, recorderId), deadline);
        records += takeIn(files, commit, damaged, logger);
        const row = { recorderId, endedAt: null, reason: "stale" };
        commit([{ kind: "recorder_end", row }]);
        for (const file of files) rmSync(file.path, { force: true });
        recorders += 1;
        forgetLogOwner(path, recorderId);
        lock.remove();
      } catch (error) {
        lock.release();
        throw error;
      }
    } catch (error) {
      logger.warn(
        `The journal of an ended process could not be taken in (${errorMessage(error)}). It stays in ${directory}; whoever opens the database next tries again.`,
      );
    }
  }
  if (records > 0) logger.info(`Took in ${records} records from the journals of ended processes.`);
  return { records, recorders, damaged };
}

type Commit = (batch: readonly TelemetryRecord[]) => readonly RecordRejection[];

function committer(writer: Writer, deadline: number): Commit {
  return (batch) => whileBusySync(deadline, () => writer.commit(batch));
}

function takeIn(
  files: readonly SegmentFile[],
  commit: Commit,
  damaged: string[],
  logger: Logger,
): number {
  let taken = 0;
  for (const { path } of files) {
    const { records, errors } = readSegment(path);
    for (let first = 0; first < records.length; first += BATCH_SIZE) {
      const rejections = commit(records.slice(first, first + BATCH_SIZE));
      errors.push(...rejections.map(({ error }) => error));
    }
    taken += records.length;
    const [error] = errors;
    if (error === undefined) continue;
    const aside = `${path}.damaged`;
    renameSync(path, aside);
    damaged.push(aside);
    logger.warn(
      `Expected a journal, but ${errors.length} lines of ${path} could not be taken in (${errorMessage(error)}). The file is now ${aside}; the rest of it was taken in.`,
    );
  }
  return taken;
}
