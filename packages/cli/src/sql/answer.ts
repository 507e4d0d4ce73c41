import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";
import { openAnalyticsReader } from "@toolmeter/core/queries";
import { type Value, toJson } from "@toolmeter/present";
import { type PrintOptions, print } from "../output/print.ts";
import type { CommandError } from "../failures/command-error.ts";
import type { Table } from "../output/page.ts";
import { csvLine } from "../output/render.ts";
import type { Terminal } from "../output/terminal.ts";
import { notPrepared, toReading } from "./statement.ts";

export interface SqlAnswerOptions extends PrintOptions {
  readonly db?: string | undefined;
  /** Maximum number of rows; 0 for all. */
  readonly limit: number;
  readonly zone: string;
}

/** Characters per write of CSV or JSON, which are streamed because a result can have any length. */
const PIECE_LENGTH = 65_536;

type Row = readonly Value[];

interface Answer {
  /** Distinct names of the columns. */
  readonly names: readonly string[];
  readonly rows: Iterable<Row>;
}

/**
 * Runs a query and prints the result. CSV and JSON are streamed; tables are printed as a whole.
 * @throws CommandError with SQLite's reason, AnalyticsError if the file cannot be opened.
 */
export async function answerSql(
  text: string,
  options: SqlAnswerOptions,
  terminal: Terminal,
): Promise<void> {
  // A read-only connection leaves its -wal and -shm files behind. This one, which closes last, removes them.
  using stack = new DisposableStack();
  stack.use(await openAnalyticsReader(options.db));
  using source = await openAnalyticsReader(options.db, { readOnly: true });
  // Sort in memory, without temporary files.
  source.$client.run("pragma temp_store = memory");
  source.$client.run("pragma trusted_schema = off");
  const limit = options.limit === 0 ? Number.POSITIVE_INFINITY : options.limit;
  const answer = prepare(source.$client, text, limit);
  const format = options.json ? "json" : (options.format ?? "table");
  if (format !== "csv" && format !== "json") {
    const page = { data: undefined, sections: [toTable(answer, limit)] };
    return print(page, options, options.zone, terminal);
  }
  let piece = "";
  for (const part of format === "csv" ? toCsv(answer, limit) : toJsonArray(answer, limit)) {
    piece += part;
    if (piece.length < PIECE_LENGTH) continue;
    await terminal.out(piece);
    piece = "";
  }
  await terminal.out(piece);
}

/** @param limit One more row is read, to determine whether there are more. */
function prepare(client: Database, text: string, limit: number): Answer {
  const { sql, query, isExplanation } = toReading(text);
  try {
    client.prepare(query).finalize();
    const isLimited = Number.isFinite(limit) && !isExplanation;
    const statement = client.prepare(isLimited ? `${sql} limit ${limit + 1}` : sql);
    return { names: statement.columnNames, rows: read(statement) };
  } catch (error) {
    throw toReason(error);
  }
}

function* read(statement: Statement<unknown, SQLQueryBindings[]>): Iterable<Row> {
  const names = statement.columnNames;
  try {
    for (const row of statement.safeIntegers(true).iterate()) {
      yield names.map((name) => toValue(Reflect.get(Object(row), name)));
    }
  } catch (error) {
    throw toReason(error);
  }
}

function toReason(error: unknown): CommandError {
  return notPrepared(error instanceof Error ? error.message : String(error));
}

function toTable({ names, rows }: Answer, limit: number): Table {
  const found = [...take(rows, limit + 1)];
  const shown = found.slice(0, limit);
  const hasText = (index: number) => shown.some((row) => typeof row[index] === "string");
  return {
    headers: names.map((text, index) => ({ text, kind: hasText(index) ? "text" : "number" })),
    rows: shown.map((row) => row.map((value) => ({ value }))),
    note:
      found.length === 0
        ? "No rows."
        : found.length > limit
          ? "… and more: --limit 0 shows all"
          : undefined,
    keepsHeader: true,
  };
}

function* take<Item>(items: Iterable<Item>, count: number): Iterable<Item> {
  let left = count;
  for (const item of items) {
    if (left <= 0) return;
    yield item;
    left -= 1;
  }
}

function* toCsv({ names, rows }: Answer, limit: number): Iterable<string> {
  yield csvLine(names);
  for (const row of take(rows, limit)) yield csvLine(row);
}

/** Yields the text that `JSON.stringify` would write with an indent of 2. */
function* toJsonArray({ names, rows }: Answer, limit: number): Iterable<string> {
  let before = "[\n  ";
  for (const row of take(rows, limit)) {
    const fields = Object.fromEntries(names.map((name, index) => [name, row[index]]));
    yield before + toJson(fields, 2).replaceAll("\n", "\n  ");
    before = ",\n  ";
  }
  yield before === ",\n  " ? "\n]\n" : "[]\n";
}

function toValue(value: unknown): Value {
  if (typeof value === "bigint") {
    return BigInt.asIntN(54, value) === value ? Number(value) : value;
  }
  if (typeof value === "string" || typeof value === "number") return value;
  return value instanceof Uint8Array ? `x'${value.toHex()}'` : null;
}
