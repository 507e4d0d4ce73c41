import {
  type Value,
  isoTime,
  show,
  csvField,
  markdown,
  markdownLine,
  oneLine,
  toJson,
} from "@toolmeter/present";
import type { Terminal } from "./terminal.ts";
import { type Page, type Section, type Table, isTable } from "./page.ts";
import { isLeft, renderTable } from "./table.ts";

export const FORMATS = ["table", "json", "csv", "md"] as const;

export type Format = (typeof FORMATS)[number];

export interface RenderOptions {
  readonly format: Format;
  readonly zone: string;
  /** Whether to print only the tables. */
  readonly quiet?: boolean | undefined;
}

/** Renders a page in the requested format, with a newline at the end. */
export function render(
  { data, sections }: Page,
  options: RenderOptions,
  terminal: Terminal,
): string {
  const { format, zone, quiet } = options;
  const shown = quiet ? sections.filter(isTable) : sections;
  switch (format) {
    case "json":
      return `${toJson(data, 2)}\n`;
    case "csv":
      return toCsv(sections.find(isTable), zone);
    case "md":
      return `${shown.map((section) => toMarkdown(section, zone)).join("\n\n")}\n`;
    default: {
      const { columns, hasColor } = terminal;
      const text = (section: Section) =>
        isTable(section)
          ? renderTable(section, { columns, hasColor, zone })
          : // Long words, such as paths, are not broken.
            Bun.wrapAnsi(section.map(oneLine).join("\n"), columns, { trim: false });
      return `${shown.map(text).join("\n\n")}\n`;
    }
  }
}

/** RFC 4180, with line feeds. */
function toCsv(table: Table | undefined, zone: string): string {
  if (!table) return "";
  const { headers, rows } = table;
  const lines = rows.map((row) =>
    csvLine(
      row.map(({ value, kind }, index) => {
        const isTime = (kind ?? headers[index]?.kind) === "time";
        return isTime && typeof value === "number" ? isoTime(value, zone) : value;
      }),
    ),
  );
  return [csvLine(headers.map(({ text }) => text)), ...lines].join("");
}

/** Returns a line of CSV with its newline. Numbers are written unchanged, `null` as an empty field. */
export function csvLine(values: readonly Value[]): string {
  const fields = values.map((value) =>
    typeof value === "string" ? csvField(value) : String(value ?? ""),
  );
  return `${fields.join(",")}\n`;
}

function markdownRow(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function toMarkdown(section: Section, zone: string): string {
  if (!isTable(section)) return section.map(markdownLine).join("\n");
  const { title, headers, rows, note, keepsHeader } = section;
  const body = rows.map((row) =>
    markdownRow(
      row.map((cell, index) => {
        const kind = cell.kind ?? headers[index]?.kind ?? "text";
        const text = show(cell.value, kind, zone);
        return kind === "bar" ? text : markdown(text);
      }),
    ),
  );
  const head = [
    markdownRow(headers.map(({ text }) => markdown(text))),
    markdownRow(headers.map(({ kind }) => (isLeft(kind) ? "---" : "---:"))),
  ];
  const hasTable = rows.length > 0 || keepsHeader === true;
  return [
    ...(title === undefined ? [] : [`### ${markdown(title)}`, ""]),
    ...(hasTable ? [...head, ...body] : []),
    ...(note === undefined ? [] : [...(hasTable ? [""] : []), markdownLine(note)]),
  ].join("\n");
}
