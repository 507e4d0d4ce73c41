import type { Terminal } from "../terminal.ts";
import { type Kind, type Value, isoTime, show } from "./format.ts";
import type { Page, Table } from "./page.ts";
import { isLeft, renderTable } from "./table.ts";

export const FORMATS = ["table", "json", "csv", "md"] as const;

export type Format = (typeof FORMATS)[number];

export interface RenderOptions {
  readonly format: Format;
  readonly zone: string;
  /** Leaves out all but the tables. */
  readonly quiet?: boolean | undefined;
}

/** A page in the format that was asked for, its last line's end included. */
export function render(
  { data, sections }: Page,
  options: RenderOptions,
  terminal: Terminal,
): string {
  const { format, zone, quiet } = options;
  const shown = quiet ? sections.filter((section) => typeof section !== "string") : sections;
  switch (format) {
    case "json":
      return `${JSON.stringify(data, null, 2)}\n`;
    case "csv":
      return toCsv(
        sections.find((section) => typeof section !== "string"),
        zone,
      );
    case "md":
      return `${shown.map((section) => toMarkdown(section, zone)).join("\n\n")}\n`;
    default: {
      const { columns, hasColor } = terminal;
      const text = (section: string | Table) =>
        typeof section === "string"
          ? // A path is longer than a line may be; it stays whole.
            Bun.wrapAnsi(section, columns, { trim: false })
          : renderTable(section, { columns, hasColor, zone });
      return `${shown.map(text).join("\n\n")}\n`;
    }
  }
}

/** RFC 4180, with line feeds: numbers as they are, times in ISO 8601, nothing as an empty field. */
function toCsv(table: Table | undefined, zone: string): string {
  if (!table) return "";
  const lines = table.rows.map((row) =>
    row.map(({ value, kind }, index) =>
      csvField(raw(value, kind ?? table.headers[index]?.kind ?? "text", zone)),
    ),
  );
  const header = table.headers.map(({ text }) => csvField(text));
  return `${[header, ...lines].map((fields) => fields.join(",")).join("\n")}\n`;
}

function raw(value: Value, kind: Kind, zone: string): string {
  if (value === null) return "";
  return kind === "time" && typeof value === "number" ? isoTime(value, zone) : String(value);
}

/** A text that a spreadsheet would run as a formula gets an apostrophe: names and messages come from others. */
export function csvField(text: string): string {
  const safe =
    /^[=+\-@\t\r]/.test(text) && !/^[+-]?[\d.]+(?:e[+-]?\d+)?$/i.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function markdownLine(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function toMarkdown(section: string | Table, zone: string): string {
  if (typeof section === "string") return Bun.stripANSI(section);
  const { title, headers, rows, note } = section;
  const body = rows.map((row) =>
    markdownLine(
      row.map(({ value, kind }, index) =>
        show(value, kind ?? headers[index]?.kind ?? "text", zone)
          .replaceAll("\\", "\\\\")
          .replaceAll("|", "\\|"),
      ),
    ),
  );
  const rule = headers.map(({ kind }) => (isLeft(kind) ? "---" : "---:"));
  return [
    ...(title === undefined ? [] : [`### ${title}`, ""]),
    ...(rows.length === 0
      ? []
      : [markdownLine(headers.map(({ text }) => text)), markdownLine(rule), ...body]),
    ...(note === undefined ? [] : [...(rows.length === 0 ? [] : [""]), note]),
  ].join("\n");
}
