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
 * Returns all rows of a query.
 *
 * Queries sum stored integers with `total()`, because `sum()` fails if the result exceeds 64 bits.
 */
export function all<Row>({ $client }: QuerySource, sql: string, values: readonly Binding[]): Row[] {
  return $client.query<Row, SQLQueryBindings[]>(sql).all(...values);
}

/** Yields the rows of a query one by one, for results that are too large for memory. */
export function stream<Row>(
  { $client }: QuerySource,
  sql: string,
  values: readonly Binding[],
): Iterable<Row> {
  // Not cached: a partly read statement would stay open, and with it its read snapshot.
  return $client.prepare<Row, SQLQueryBindings[]>(sql).iterate(...values);
}

/** Returns the only row of a query that always has one. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows the columns, as for `all`.
export function one<Row>(source: QuerySource, sql: string, values: readonly Binding[]): Row {
  const [row] = all<Row>(source, sql, values);
  if (row === undefined) throw new Error(`Expected a row from: ${sql}`);
  return row;
}
