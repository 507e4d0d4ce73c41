import type { BackgroundRecovery } from "./background-recovery.ts";
import type { Rejection } from "./batcher.ts";
import type { CommitCost } from "./file-writer.ts";
import { type TelemetryRecord, decode } from "../records/record.ts";
import type { RecordRejection, RecordWriter } from "./statements.ts";

/** Where the service's batches of lines go: a thread of their own, or the calling one. */
export interface LineWriter {
  /** Stores a batch whole and in order; returns the lines that can never be stored. Rejects if it stored nothing. */
  write(lines: readonly string[]): Promise<readonly Rejection<string>[]>;
  /** What the last commit took, where it is known. */
  readonly cost: CommitCost | undefined;
  /** Begins to take in what dead processes left in their journals, where there is a file. Returns at once. */
  recover(): void;
  /** Lets go of the file, within `timeoutMs`. Never rejects. */
  close(timeoutMs: number): Promise<void>;
}

/** Decodes lines and gives them to a writer of records. */
export async function writeLines(
  writer: RecordWriter,
  lines: readonly string[],
): Promise<readonly Rejection<string>[]> {
  const { records, undecodable } = decodeAll(lines);
  return [...undecodable, ...toLines(records, await writer.write([...records.keys()]))];
}

/** Each record with its line, and the lines that are no records. */
export function decodeAll(lines: readonly string[]) {
  const records = new Map<TelemetryRecord, string>();
  const undecodable: Rejection<string>[] = [];
  for (const line of lines) {
    try {
      records.set(decode(line), line);
    } catch (error) {
      undecodable.push({ item: line, error });
    }
  }
  return { records, undecodable };
}

/** The rejected records as their lines. */
export function toLines(
  records: ReadonlyMap<TelemetryRecord, string>,
  rejections: readonly RecordRejection[],
): readonly Rejection<string>[] {
  return rejections.map(({ item, error }) => ({ item: records.get(item) ?? "", error }));
}

type InlineTarget = RecordWriter & { readonly cost?: CommitCost; close?(): void };

/** Writes in the calling thread, through any writer of records. */
export class InlineWriter implements LineWriter {
  readonly #writer: InlineTarget;
  readonly #recovery: BackgroundRecovery | undefined;

  constructor(writer: InlineTarget, recovery?: BackgroundRecovery) {
    this.#writer = writer;
    this.#recovery = recovery;
  }

  get cost(): CommitCost | undefined {
    return this.#writer.cost;
  }

  write(lines: readonly string[]): Promise<readonly Rejection<string>[]> {
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
