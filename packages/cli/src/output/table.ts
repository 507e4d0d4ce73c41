import { styleText } from "node:util";
import { type Kind, show, plain } from "@toolmeter/present";
import type { Table, Tone } from "./page.ts";

export interface TableStyle {
  readonly columns: number;
  readonly hasColor: boolean;
  readonly zone: string;
}

const GAP = "  ";
/** Smallest width of a text column. */
const MIN_WIDTH = 6;
/** Headers of number columns are shortened to this width if the table is too wide for the terminal. */
const MIN_HEADER_WIDTH = 10;

const COLORS = { bad: "red", warn: "yellow", good: "green", dim: "dim" } as const;

/** Renders a table: numbers are right-aligned, and texts are shortened in the middle until the table fits. */
export function renderTable(table: Table, style: TableStyle): string {
  const { title, headers, rows, note, keepsHeader } = table;
  const texts = rows.map((row) =>
    row.map(({ value, tone, kind }, index) => ({
      text: show(value, kind ?? kindOf(headers, index), style.zone),
      tone,
    })),
  );
  const longNames = headers.map(({ text }) => plain(text));
  const shortNames = headers.map(({ text, short = text }) => plain(short));
  const room = style.columns - GAP.length * (headers.length - 1);
  const contents = headers.map((_, index) =>
    texts.reduce((width, row) => Math.max(width, Bun.stringWidth(row[index]?.text ?? "")), 0),
  );
  const widthsWith = (header: readonly string[]) =>
    header.map((name, index) => Math.max(Bun.stringWidth(name), contents[index] ?? 0));
  const names = sum(widthsWith(longNames)) <= room ? longNames : shortNames;
  const widths = fit(
    widthsWith(names).map((ideal, index) => ({
      ideal,
      least:
        kindOf(headers, index) === "text"
          ? MIN_WIDTH
          : Math.max(contents[index] ?? 0, Math.min(ideal, MIN_HEADER_WIDTH)),
    })),
    room,
  );
  const line = (cells: readonly { readonly text: string; readonly tone?: Tone | undefined }[]) => {
    // Skip trailing empty cells.
    const end = cells.findLastIndex(({ text }) => text !== "") + 1;
    return cells
      .slice(0, end)
      .map(({ text, tone }, index) => {
        const width = widths[index] ?? 0;
        const kind = kindOf(headers, index);
        const shown = elide(text, width);
        const padded = index === end - 1 && isLeft(kind) ? shown : pad(shown, width, kind);
        return paint(padded, tone, style.hasColor);
      })
      .join(GAP);
  };
  const head = line(names.map((text) => ({ text, tone: "dim" as const })));
  const wrap = (text: string) => Bun.wrapAnsi(plain(text), style.columns);
  return [
    ...(title === undefined ? [] : [paintTitle(wrap(title), style.hasColor)]),
    ...(rows.length === 0 && !keepsHeader ? [] : [head, ...texts.map(line)]),
    ...(note === undefined ? [] : [paint(wrap(note), "dim", style.hasColor)]),
  ].join("\n");
}

function kindOf(headers: Table["headers"], index: number): Kind {
  return headers[index]?.kind ?? "text";
}

interface Width {
  readonly ideal: number;
  readonly least: number;
}

function sum(widths: readonly number[]): number {
  return widths.reduce((total, width) => total + width, 0);
}

/** Shrinks the widest columns first, none below its least width. */
function fit(wanted: readonly Width[], room: number): readonly number[] {
  const least = wanted.map((width) => Math.min(width.ideal, width.least));
  if (sum(least) >= room) return least;
  const fitted = wanted.map(({ ideal }, index) =>
    Math.max(least[index] ?? 0, Math.min(ideal, room)),
  );
  for (let total = sum(fitted); total > room; total -= 1) {
    const spare = fitted.map((width, index) => (width > (least[index] ?? 0) ? width : 0));
    const widest = spare.indexOf(Math.max(...spare));
    fitted[widest] = (fitted[widest] ?? 0) - 1;
  }
  return fitted;
}

function pad(text: string, width: number, kind: Kind): string {
  const space = " ".repeat(Math.max(0, width - Bun.stringWidth(text)));
  return isLeft(kind) ? text + space : space + text;
}

/** Whether values of this kind are left-aligned; numbers are right-aligned. */
export function isLeft(kind: Kind): boolean {
  return kind === "text" || kind === "bar" || kind === "time";
}

/** Shortens a text to `width` columns by omitting its middle, because names differ at both ends. */
export function elide(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text;
  const characters = segments(text, width * MAX_UNITS);
  const head = take(characters, Math.ceil((width - 1) / 2));
  const tail = take(characters.toReversed(), width - 1 - Bun.stringWidth(head.join("")));
  return `${head.join("")}…${tail.toReversed().join("")}`;
}

/** Maximum number of code units per column. A text with more is cut in the middle before it is segmented. */
const MAX_UNITS = 16;

/** Splits both ends of a text into user-perceived characters. */
function segments(text: string, units: number): readonly string[] {
  const ends = text.length > 2 * units ? text.slice(0, units) + text.slice(-units) : text;
  return [...new Intl.Segmenter().segment(ends)].map(({ segment }) => segment);
}

function take(characters: readonly string[], width: number): readonly string[] {
  let left = width;
  const end = characters.findIndex((character) => {
    left -= Bun.stringWidth(character);
    return left < 0;
  });
  return end === -1 ? characters : characters.slice(0, end);
}

export function paint(text: string, tone: Tone | undefined, hasColor: boolean): string {
  return tone && hasColor ? styleText(COLORS[tone], text, { validateStream: false }) : text;
}

function paintTitle(text: string, hasColor: boolean): string {
  return hasColor ? styleText("bold", text, { validateStream: false }) : text;
}
