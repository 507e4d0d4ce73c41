import type { BackgroundRecovery } from "./background-recovery.ts";
import type { CommitCost } from "./file-writer.ts";
import { type TelemetryRecord, decode } from "../records/record.ts";
import type { Writer } from "./writer.ts";
import type { Rejection } from "./batcher.ts";

/** Writes the service's batches of lines, in a worker thread or in the calling thread. */
export interface LineWriter {
  /** Stores a whole batch in order; returns the lines that can never be stored. Rejects if it stored nothing. */
  write(lines: readonly string[]): Promise<readonly Rejection[]>;
  /** The cost of the last commit, if it is known. */
  readonly cost: CommitCost | undefined;
  /** Starts importing the journals of dead processes, if the destination is a file. Returns at once. */
  recover(): void;
  /** Closes the file within `timeoutMs`. Never rejects. */
  close(timeoutMs: number): Promise<void>;
}

/** Decodes lines and writes their records. Returns the rejected lines by their index. */
export async function writeLines(
  writer: Writer,
  lines: readonly string[],
): Promise<readonly Rejection[]> {
  const batch = decodeAll(lines);
  return batch.rejectionsOf(await writer.write(batch.records));
}

/** Decodes lines. `rejectionsOf` converts rejections of the records to rejections of the lines. */
export function decodeAll(lines: readonly string[]) {
  const records: TelemetryRecord[] = [];
  /** The index of each record's line. */
  const indexes: number[] = [];
  const undecodable: Rejection[] = [];
  for (const [index, line] of lines.entries()) {
    try {
      records.push(decode(line));
      indexes.push(index);
    } catch (error) {
      undecodable.push({ index, error });
    }
  }
  const rejectionsOf = (rejections: readonly Rejection[]): readonly Rejection[] => [
    ...undecodable,
    ...rejections.map(({ index, error }) => ({ index: indexes[index] ?? index, error })),
  ];
  return { records, rejectionsOf };
}

type InlineTarget = Writer & { readonly cost?: CommitCost; close?(): void };

/** Writes in the calling thread, through any writer of records. */
export class InlineLineWriter implements LineWriter {
  readonly #writer: InlineTarget;
  readonly #recovery: BackgroundRecovery | undefined;

  constructor(writer: InlineTarget, recovery?: BackgroundRecovery) {
    this.#writer = writer;
    this.#recovery = recovery;
  }

  get cost(): CommitCost | undefined {
    return this.#writer.cost;
  }

  write(lines: readonly string[]): Promise<readonly Rejection[]> {
    return writeLines(this.#writer, lines);
  }

  recover(): void {
    this.#recovery?.start();
  }

  async close(): Promise<void> {
    this.#recovery?.stop();
    this.#writer.close?.();
  }
}
