import type { Database, SQLQueryBindings } from "bun:sqlite";

/** An open database: an `AnalyticsReader` or an `AnalyticsDb`. */
export interface QuerySource {
  readonly $client: Database;
}

export type Binding = string | number | null;

/** SQL with the values of its parameters. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly Binding[];
}

/**
 * All rows of a question.
 *
 * Questions add up stored integers with `total()`: `sum()` fails when the result leaves 64 bits.
 */
export function all<Row>({ $client }: QuerySource, sql: string, values: readonly Binding[]): Row[] {
  return $client.query<Row, SQLQueryBindings[]>(sql).all(...values);
}

/** The rows one by one: for questions that read more than memory should hold. */
export function stream<Row>(
  { $client }: QuerySource,
  sql: string,
  values: readonly Binding[],
): Iterable<Row> {
  // Not cached: what is left half-read would keep the statement, and the snapshot it reads, open.
  return $client.prepare<Row, SQLQueryBindings[]>(sql).iterate(...values);
}

/** The only row of a question that always has one. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- who asks knows the columns, as of `all`.
export function one<Row>(source: QuerySource, sql: string, values: readonly Binding[]): Row {
  const [row] = all<Row>(source, sql, values);
  if (row === undefined) throw new Error(`Expected a row of: ${sql}`);
  return row;
}
