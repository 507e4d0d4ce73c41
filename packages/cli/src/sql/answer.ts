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
  /** Rows at most; 0 is all. */
  readonly limit: number;
  readonly zone: string;
}

/** What an answer in CSV or JSON is written in, in characters: it may have any length. */
const PIECE_LENGTH = 65_536;

type Row = readonly Value[];

interface Answer {
  /** Each differs from the others. */
  readonly names: readonly string[];
  readonly rows: Iterable<Row>;
}

/**
 * Asks the file, and shows the answer: CSV and JSON as it comes, tables when they are whole.
 * @throws CommandError with SQLite's reason, AnalyticsError if the file cannot be opened.
 */
export async function answerSql(
  text: string,
  options: SqlAnswerOptions,
  terminal: Terminal,
): Promise<void> {
  // A reader leaves the -wal and -shm files that it makes; this connection, the last to close, takes them away again.
  using stack = new DisposableStack();
  stack.use(await openAnalyticsReader(options.db));
  using source = await openAnalyticsReader(options.db, { readOnly: true });
  // No file is made to sort in.
  source.$client.run("pragma temp_store = memory");
  source.$client.run("pragma trusted_schema = off");
  const limit = options.limit === 0 ? Number.POSITIVE_INFINITY : options.limit;
  const answer = ask(source.$client, text, limit);
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

/** @param limit One row more is asked for: whether there are more. */
function ask(client: Database, text: string, limit: number): Answer {
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

/** As `JSON.stringify` indents it. */
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
