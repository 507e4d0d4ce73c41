import { styleText } from "node:util";
import { type Kind, show, plain } from "@toolmeter/present";
import type { Table, Tone } from "./page.ts";

export interface TableStyle {
  readonly columns: number;
  readonly hasColor: boolean;
  readonly zone: string;
}

const GAP = "  ";
/** No column of texts gets narrower than this. */
const MIN_WIDTH = 6;
/** A header over numbers is shortened to this before they are pushed out of the terminal. */
const MIN_HEADER_WIDTH = 10;

const COLORS = { bad: "red", warn: "yellow", good: "green", dim: "dim" } as const;

/** A table as lines: numbers to the right, texts shortened in their middle until it fits. */
export function renderTable(table: Table, style: TableStyle): string {
  const { title, headers, rows, note, keepsHeader } = table;
  const texts = rows.map((row) =>
    row.map(({ value, tone, kind }, index) => ({
      text: show(value, kind ?? kindOf(headers, index), style.zone),
      tone,
    })),
  );
  const names = headers.map(({ text }) => plain(text));
  const widths = fit(
    names.map((name, index) => {
      const widest = texts.reduce(
        (width, row) => Math.max(width, Bun.stringWidth(row[index]?.text ?? "")),
        0,
      );
      const header = Bun.stringWidth(name);
      const isText = kindOf(headers, index) === "text";
      return {
        ideal: Math.max(header, widest),
        least: isText ? MIN_WIDTH : Math.max(widest, Math.min(header, MIN_HEADER_WIDTH)),
      };
    }),
    style.columns,
  );
  const line = (cells: readonly { readonly text: string; readonly tone?: Tone | undefined }[]) => {
    // Nothing is drawn after what is there.
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

/** The widest column gives way first, none below its least. */
function fit(wanted: readonly Width[], columns: number): readonly number[] {
  const room = columns - GAP.length * (wanted.length - 1);
  const least = wanted.map((width) => Math.min(width.ideal, width.least));
  if (sum(least) >= room) return least;
  const fitted = wanted.map(({ ideal }, index) =>
    Math.max(least[index] ?? 0, Math.min(ideal, columns)),
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

/** Texts begin at the left, numbers end at the right. */
export function isLeft(kind: Kind): boolean {
  return kind === "text" || kind === "bar" || kind === "time";
}

/** A text of at most `width` columns: what is left out is its middle, since names differ at both ends. */
export function elide(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text;
  const characters = segments(text, width * MAX_UNITS);
  const head = take(characters, Math.ceil((width - 1) / 2));
  const tail = take(characters.toReversed(), width - 1 - Bun.stringWidth(head.join("")));
  return `${head.join("")}…${tail.toReversed().join("")}`;
}

/** Code units a column may have; what has more, in all, is cut in its middle before it is looked at. */
const MAX_UNITS = 16;

/** What is seen as one character each, of both ends of a text. */
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
