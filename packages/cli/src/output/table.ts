import { styleText } from "node:util";
import { type Kind, show } from "./format.ts";
import type { Table, Tone } from "./page.ts";

export interface TableStyle {
  readonly columns: number;
  readonly hasColor: boolean;
  readonly zone: string;
}

const GAP = "  ";
/** No column gets narrower than this. */
const MIN_WIDTH = 6;

const COLORS = { bad: "red", warn: "yellow", good: "green", dim: "dim" } as const;

/** A table as lines: numbers to the right, texts shortened in their middle until it fits. */
export function renderTable({ title, headers, rows, note }: Table, style: TableStyle): string {
  const texts = rows.map((row) =>
    row.map(({ value, tone, kind }, index) => ({
      text: show(value, kind ?? kindOf(headers, index), style.zone),
      tone,
    })),
  );
  const widths = fit(
    headers.map(({ text }, index) =>
      Math.max(
        Bun.stringWidth(text),
        ...texts.map((row) => Bun.stringWidth(row[index]?.text ?? "")),
      ),
    ),
    headers.map(({ kind }) => kind === "text"),
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
  const head = line(headers.map(({ text }) => ({ text, tone: "dim" as const })));
  return [
    ...(title === undefined ? [] : [paintTitle(title, style.hasColor)]),
    ...(rows.length === 0 ? [] : [head, ...texts.map(line)]),
    ...(note === undefined ? [] : [paint(note, "dim", style.hasColor)]),
  ].join("\n");
}

function kindOf(headers: Table["headers"], index: number): Kind {
  return headers[index]?.kind ?? "text";
}

/** The widest text gives way first. */
function fit(widths: readonly number[], mayShrink: readonly boolean[], columns: number): number[] {
  const fitted = [...widths];
  const total = () =>
    fitted.reduce((sum, width) => sum + width, 0) + GAP.length * (fitted.length - 1);
  while (total() > columns) {
    const candidates = fitted.map((width, index) => (mayShrink[index] ? width : 0));
    const widest = Math.max(...candidates);
    if (widest <= MIN_WIDTH) return fitted;
    fitted[candidates.indexOf(widest)] = widest - 1;
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
  const characters = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
  const head = take(characters, Math.ceil((width - 1) / 2));
  const tail = take(characters.toReversed(), width - 1 - Bun.stringWidth(head.join("")));
  return `${head.join("")}…${tail.toReversed().join("")}`;
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
