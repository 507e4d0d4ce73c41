import { InputError } from "@toolmeter/present";

/** The number and order of the printed rows. */
export interface Selection {
  /** Maximum number of rows. */
  readonly limit: number;
  /** The field to sort by. */
  readonly sort: string | undefined;
}

/**
 * Sorts rows by a field (numbers in descending, strings in ascending order) and keeps the first `limit`.
 * @param rows Rows in their default order, which is kept without `sort`.
 * @throws InputError if the rows have no such field.
 */
export function pick<Row extends object>(
  rows: readonly Row[],
  { sort, limit }: Selection,
): { readonly rows: readonly Row[]; readonly note: string | undefined } {
  const sorted = sort === undefined ? rows : rows.toSorted(byField(rows, sort));
  const more = sorted.length - limit;
  return {
    rows: sorted.slice(0, limit),
    note: more > 0 ? `… and ${more} more: --limit 0 shows all` : undefined,
  };
}

function byField<Row extends object>(rows: readonly Row[], field: string) {
  const fields = Object.keys(rows[0] ?? { [field]: 0 });
  if (!fields.includes(field)) {
    throw new InputError(
      `Expected --sort to name a field, one of ${fields.join(", ")}, got ${JSON.stringify(field)}.`,
    );
  }
  const value = (row: Row): unknown => Reflect.get(row, field);
  return (a: Row, b: Row): number => {
    const [x, y] = [value(a), value(b)];
    if (typeof x === "string" && typeof y === "string") return x < y ? -1 : Number(x > y);
    // Rows without a value come last.
    return Number(y ?? Number.NEGATIVE_INFINITY) - Number(x ?? Number.NEGATIVE_INFINITY) || 0;
  };
}
