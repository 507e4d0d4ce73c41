import type { SQLiteColumn } from "drizzle-orm/sqlite-core";

/** The limit of SQLite's date functions: the end of the year 9999, in milliseconds. */
const MAX_TIME = 253_402_300_799_999;

/** The requirements of a column for the field that it stores. */
interface Field {
  readonly name: string;
  readonly type: "text" | "json" | "integer" | "real" | "time";
  readonly isNullable: boolean;
  /** The allowed values of a text, if they are limited. */
  readonly words: readonly string[] | undefined;
  /** The value stored for a missing field; `undefined` if such a row is refused. */
  readonly fallback: string | number | null | undefined;
}

export type Shape = readonly Field[];

type Row = Readonly<Record<string, unknown>>;

/**
 * Derives the shape of a row from the columns that store it. A field is missing if the row was written before its
 * column existed; it becomes null or the column's default.
 * @param missingCount Stored for a missing NOT NULL number without a default. Default: such a row is refused.
 */
export function shapeOf(columns: Record<string, SQLiteColumn>, missingCount?: number): Shape {
  return Object.entries(columns).map(([name, column]) => {
    const type = typeOf(column);
    return {
      name,
      type,
      isNullable: !column.notNull,
      words: column.enumValues,
      fallback: fallbackOf(column, isCount(type) ? missingCount : undefined),
    };
  });
}

function typeOf(column: SQLiteColumn): Field["type"] {
  if (column.dataType === "json") return "json";
  // Column names end with their unit.
  if (column.name.endsWith("_at_ms")) return "time";
  switch (column.getSQLType()) {
    case "integer":
      return "integer";
    case "real":
      return "real";
    default:
      return "text";
  }
}

function isCount(type: Field["type"]): boolean {
  return type === "integer" || type === "real";
}

function fallbackOf(column: SQLiteColumn, missing: number | undefined): Field["fallback"] {
  const { default: value, notNull } = column;
  if (typeof value === "string" || typeof value === "number") return value;
  return notNull ? missing : null;
}

/**
 * Returns the row with its missing fields filled in, after checking every field: SQLite stores any type in any column,
 * and a row can come from a damaged journal.
 * @throws TypeError if a column cannot store its field.
 */
export function conform<R extends Row>(row: R, shape: Shape): R {
  let isComplete = true;
  for (const field of shape) {
    const value = row[field.name];
    if (value === undefined && field.fallback !== undefined) isComplete = false;
    else if (!isStorable(value, field)) throw new TypeError(refusal(value, field));
  }
  return isComplete ? row : completed(row, shape);
}

function completed<R extends Row>(row: R, shape: Shape): R {
  const missing = shape.filter(({ name }) => row[name] === undefined);
  return { ...row, ...Object.fromEntries(missing.map(({ name, fallback }) => [name, fallback])) };
}

function isStorable(value: unknown, { type, isNullable, words }: Field): boolean {
  if (value === null) return isNullable;
  if (typeof value === "string") {
    if (type === "json") return isJson(value);
    return type === "text" && (words === undefined || words.includes(value));
  }
  if (typeof value !== "number" || !Number.isFinite(value)) return false;
  switch (type) {
    case "real":
      return true;
    case "integer":
      return Math.abs(value) <= Number.MAX_SAFE_INTEGER;
    case "time":
      return value >= 0 && value <= MAX_TIME;
    default:
      return false;
  }
}

/** A single invalid JSON text makes `json_extract` fail for a whole table. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function refusal(value: unknown, { name, type, words }: Field): string {
  const expected = words ? `one of ${words.join(", ")}` : DESCRIPTIONS[type];
  const got = typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : typeof value;
  return `Expected \`${name}\` to be ${expected}, got ${typeof value === "number" ? value : got}`;
}

const DESCRIPTIONS: Record<Field["type"], string> = {
  text: "a string",
  json: "a JSON text",
  integer: "an integer",
  real: "a finite number",
  time: "a time in milliseconds since 1970",
};
