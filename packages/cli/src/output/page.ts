import type { Kind, Value } from "@toolmeter/present";

/** The meaning of a cell, shown as its colour. */
export type Tone = "bad" | "warn" | "good" | "dim";

export interface Column<Row> {
  readonly header: string;
  /** The header in a terminal that is too narrow for the table. @default `header` */
  readonly shortHeader?: string;
  /** @default "text" */
  readonly kind?: Kind;
  readonly value: (row: Row) => Value;
  readonly tone?: (row: Row) => Tone | undefined;
}

interface Cell {
  readonly value: Value;
  /** @default the kind of its column */
  readonly kind?: Kind;
  readonly tone?: Tone | undefined;
}

export interface Table {
  readonly title?: string | undefined;
  readonly headers: readonly {
    readonly text: string;
    readonly short?: string;
    readonly kind: Kind;
  }[];
  readonly rows: readonly (readonly Cell[])[];
  /** Printed below the table: about omitted rows, or why it is empty. */
  readonly note?: string | undefined;
  /** Whether to print the header even without rows. @default false */
  readonly keepsHeader?: boolean | undefined;
}

/** Short lines of text. Line breaks in them are removed. */
type Lines = readonly string[];

export type Section = Lines | Table;

/** The result of a command, independent of the output format. */
export interface Page {
  /** The whole result, for JSON output. */
  readonly data: unknown;
  /** Texts and tables. CSV output contains only the first table. */
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
    headers: columns.map(({ header, shortHeader = header, kind = "text" }) => ({
      text: header,
      short: shortHeader,
      kind,
    })),
    rows: rows.map((row) =>
      columns.map(({ value, tone }) => ({ value: value(row), tone: tone?.(row) })),
    ),
  };
}
