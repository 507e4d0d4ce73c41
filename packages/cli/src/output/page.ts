import type { Kind, Value } from "@toolmeter/present";

/** How a cell is coloured, where there are colours. */
export type Tone = "bad" | "warn" | "good" | "dim";

export interface Column<Row> {
  readonly header: string;
  /** @default "text" */
  readonly kind?: Kind;
  readonly value: (row: Row) => Value;
  readonly tone?: (row: Row) => Tone | undefined;
}

interface Cell {
  readonly value: Value;
  /** @default its column's */
  readonly kind?: Kind;
  readonly tone?: Tone | undefined;
}

/** Rows under columns. */
export interface Table {
  readonly title?: string | undefined;
  readonly headers: readonly { readonly text: string; readonly kind: Kind }[];
  readonly rows: readonly (readonly Cell[])[];
  /** What is said below it: what was left out, or why it is empty. */
  readonly note?: string | undefined;
  /** Whether its columns are told even where it has no rows. @default false */
  readonly keepsHeader?: boolean | undefined;
}

/** Lines of text, already short. Whatever they hold, each stays one line. */
type Lines = readonly string[];

export type Section = Lines | Table;

/** What a command answers, before it is decided how it is shown. */
export interface Page {
  /** The answer as JSON: as the query gives it, whole. */
  readonly data: unknown;
  /** Texts, and tables; the first table is the CSV. */
  readonly sections: readonly Section[];
}

export interface TableOptions {
  readonly title?: string;
  readonly note?: string | undefined;
}

export function isTable(section: Section): section is Table {
  return "headers" in section;
}

export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { title, note }: TableOptions = {},
): Table {
  return {
    title,
    note,
    headers: columns.map(({ header, kind = "text" }) => ({ text: header, kind })),
    rows: rows.map((row) =>
      columns.map(({ value, tone }) => ({ value: value(row), tone: tone?.(row) })),
    ),
  };
}
