/** Creates the writer for a service's lines: into its file, or into a custom writer. */
import { BackgroundRecovery } from "../writing/background-recovery.ts";
import { MEMORY } from "../file/connection.ts";
import type { ResolvedConfig } from "./config.ts";
import type { Destination } from "./destination.ts";
import { FileWriter } from "../writing/file-writer.ts";
import { InlineLineWriter, type LineWriter, decodeAll } from "../writing/line-writer.ts";
import { ConnectionWriter } from "../writing/connection-writer.ts";
import type { Writer } from "../writing/writer.ts";
import type { Rejection } from "../writing/batcher.ts";
import { WORKER_PROGRAM, WorkerLineWriter } from "../writing/worker-line-writer.ts";

export interface LineWriterOptions {
  readonly destination: Destination;
  readonly recorderId: string;
  readonly config: ResolvedConfig;
  /** Receives the batches instead of the database. */
  readonly writer?: Writer | undefined;
}

/**
 * Creates the writer for these options. It opens nothing before its first batch.
 * @param recovered Called after each batch of recovery with the number of records imported from dead processes.
 */
export function createLineWriter(
  { destination, recorderId, config, writer }: LineWriterOptions,
  recovered: (records: number) => void,
): LineWriter {
  const warn = warnings(config);
  if (writer) return new InlineLineWriter(writer);
  const { path, $client } = destination;
  const { worker, retention } = config;
  if ($client && (path === MEMORY || !config.enabled))
    return new InlineLineWriter(new ConnectionWriter($client, path, recorderId));
  if (worker === false) {
    const recovery = new BackgroundRecovery({ path, warn, imported: recovered });
    return new InlineLineWriter(new FileWriter(path, recorderId, warn), recovery);
  }
  const program = worker === true ? WORKER_PROGRAM : worker;
  return new WorkerLineWriter({ program, path, recorderId, retention, warn, recovered });
}

/** Writes lines into the file in this thread; waits at most `timeoutMs` for locks. Throws if it stored nothing. */
export function writeNow(
  { destination, recorderId, config }: LineWriterOptions,
  lines: readonly string[],
  timeoutMs: number,
): readonly Rejection[] {
  const writer = new FileWriter(destination.path, recorderId, warnings(config));
  const batch = decodeAll(lines);
  const rejections = batch.rejectionsOf(writer.writeSync(batch.records, timeoutMs));
  writer.close();
  return rejections;
}

function warnings({ logger }: ResolvedConfig): (message: string) => void {
  return (message) => void logger.warn(message);
}
