import type { Database, SQLQueryBindings, Statement } from "bun:sqlite";
import { openAnalyticsReader } from "@toolmeter/core/queries";
import { type AskOptions, show } from "../ask.ts";
import type { Value } from "../output/format.ts";
import type { Table } from "../output/page.ts";
import type { Terminal } from "../terminal.ts";
import { notPrepared, toReading } from "./statement.ts";

export interface SqlAnswerOptions extends Pick<
  AskOptions,
  "color" | "db" | "format" | "json" | "quiet"
> {
  /** Rows at most; 0 is all. */
  readonly limit: number;
  readonly zone: string;
}

/**
 * Asks the file, and shows the answer.
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
  const { names, rows, hasMore } = ask(source.$client, text, options.limit);
  const headers = names.map((name, index) => ({
    text: name,
    kind: rows.some((row) => typeof row[index] === "string")
      ? ("text" as const)
      : ("number" as const),
  }));
  const answer: Table = {
    headers,
    rows: rows.map((row) => row.map((value) => ({ value }))),
    note: rows.length === 0 ? "No rows." : hasMore ? "… and more: --limit 0 shows all" : undefined,
    keepsHeader: true,
  };
  const data = rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at]])));
  await show({ data, sections: [answer] }, options, options.zone, terminal);
}

interface Answer {
  /** Each differs from the others. */
  readonly names: readonly string[];
  readonly rows: readonly (readonly Value[])[];
  readonly hasMore: boolean;
}

function ask(client: Database, text: string, limit: number): Answer {
  const { sql, query, isExplanation } = toReading(text);
  try {
    client.prepare(query).finalize();
    const statement = client.prepare(
      isExplanation || limit === 0 ? sql : `${sql} limit ${limit + 1}`,
    );
    return read(statement, limit === 0 ? Number.POSITIVE_INFINITY : limit);
  } catch (error) {
    throw notPrepared(error instanceof Error ? error.message : String(error));
  }
}

function read(statement: Statement<unknown, SQLQueryBindings[]>, limit: number): Answer {
  const rows: (readonly Value[])[] = [];
  const names = statement.columnNames;
  for (const row of statement.safeIntegers(true).iterate()) {
    if (rows.length === limit) return { names, rows, hasMore: true };
    rows.push(names.map((name) => toValue(Reflect.get(Object(row), name))));
  }
  return { names, rows, hasMore: false };
}

function toValue(value: unknown): Value {
  if (typeof value === "bigint") {
    return BigInt.asIntN(54, value) === value ? Number(value) : value;
  }
  if (typeof value === "string" || typeof value === "number") return value;
  return value instanceof Uint8Array ? `x'${value.toHex()}'` : null;
}
