import { resolve } from "node:path";
import {
  CALL_RECORD_COLUMNS,
  type CallRecord,
  openAnalyticsReader,
  streamCalls,
} from "@toolmeter/core/queries";
import { InputError, csvField, escapeJson } from "@toolmeter/present";
import { type AskOptions, toQuestion } from "../answers/ask.ts";
import { identityOf } from "./identity-of.ts";
import { writeWholeFile } from "../output/whole-file.ts";
import type { Terminal } from "../output/terminal.ts";

export interface ExportOptions extends Pick<
  AskOptions,
  "client" | "db" | "quiet" | "server" | "session" | "since" | "status" | "tool" | "until"
> {
  readonly format: "csv" | "jsonl" | "parquet";
  readonly output: string;
  readonly payloads?: true | undefined;
}

type Column = keyof CallRecord;

const PAYLOADS: readonly Column[] = ["arguments", "result", "attributes"];
const JSON_COLUMNS: ReadonlySet<Column> = new Set(["output_content_types", ...PAYLOADS]);

/** Characters per write. */
const CHUNK_LENGTH = 65_536;

/** Calls between two messages about progress. */
const PROGRESS_CALLS = 100_000;

/** Writes calls to standard output, or to a file that appears only when complete (see `writeWholeFile`). */
export async function exportCalls(options: ExportOptions, terminal: Terminal): Promise<void> {
  const { filter } = toQuestion(options, Date.now());
  const { format, output } = options;
  if (format === "parquet" && output === "-") {
    throw new InputError(
      "Expected a file for Parquet, got standard output. Name a file: --output calls.parquet",
    );
  }
  using source = await openAnalyticsReader(options.db);
  const columns = CALL_RECORD_COLUMNS.filter(
    (column) => options.payloads || !PAYLOADS.includes(column),
  );
  const notify = (text: string) => (options.quiet ? undefined : terminal.err(text));
  const calls = counted(streamCalls(source, filter), notify);
  if (output === "-") {
    for (const text of toText(calls, columns, format)) await terminal.out(text);
    return;
  }
  const file = resolve(output);
  assertElsewhere(file, source.path);
  await writeWholeFile(file, async (write) => {
    if (format === "parquet") {
      const { writeParquet } = await import("../output/parquet.ts");
      await writeParquet(write, calls, columns);
      return;
    }
    for (const text of toText(calls, columns, format)) {
      write(text);
      await new Promise((done) => setImmediate(done));
    }
  });
  notify(file);
}

/** An export must not replace the database that it reads. */
function assertElsewhere(file: string, database: string): void {
  const target = identityOf(file);
  const own = ["", "-wal", "-shm"].map((suffix) => identityOf(`${database}${suffix}`));
  if (target === undefined || !own.includes(target)) return;
  throw new InputError(
    `Expected an output file other than the database ${file}. Name another: --output calls.jsonl`,
  );
}

function* counted(
  calls: Iterable<CallRecord>,
  notify: (text: string) => void,
): Iterable<CallRecord> {
  let count = 0;
  for (const call of calls) {
    yield call;
    count += 1;
    if (count % PROGRESS_CALLS === 0) notify(`${count} calls`);
  }
  notify(`${count} calls`);
}

function* toText(
  calls: Iterable<CallRecord>,
  columns: readonly Column[],
  format: "csv" | "jsonl" | "parquet",
): Iterable<string> {
  const line = format === "csv" ? toCsvLine : toJsonLine;
  let text = format === "csv" ? `${columns.join(",")}\n` : "";
  for (const call of calls) {
    text += line(call, columns);
    if (text.length < CHUNK_LENGTH) continue;
    yield text;
    text = "";
  }
  yield text;
}

function toCsvLine(call: CallRecord, columns: readonly Column[]): string {
  return `${columns.map((column) => csvField(String(call[column] ?? ""))).join(",")}\n`;
}

/** Returns a line of JSON without null fields. */
function toJsonLine(call: CallRecord, columns: readonly Column[]): string {
  const fields = columns.flatMap((column) => {
    const value = call[column];
    if (value === null) return [];
    if (column === "cache_hit") return [`"${column}":${value === 1}`];
    // These columns contain JSON text.
    const isJson = JSON_COLUMNS.has(column);
    return [`"${column}":${isJson ? String(value) : JSON.stringify(value)}`];
  });
  return `${escapeJson(`{${fields.join(",")}}`)}\n`;
}
