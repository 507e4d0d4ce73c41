import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { table } from "../../src/output/page.ts";
import { elide, renderTable } from "../../src/output/table.ts";

interface Row {
  readonly name: string;
  readonly calls: number;
}

test("a header that has a short form uses it where the table is too wide", () => {
  const columns = [
    { header: "tool", value: () => "read_text_file" },
    { header: "error rate", shortHeader: "errors", kind: "rate", value: () => 0.5 },
  ] as const;
  const head = (width: number) =>
    renderTable(table([{}], columns), { columns: width, hasColor: false, zone: "UTC" }).split(
      "\n",
    )[0];
  expect(head(26)).toBe("tool            error rate");
  expect(head(25)).toBe("tool            errors");
});

const rendered = (rows: readonly Row[], columns: number, note?: string) =>
  renderTable(
    table(
      rows,
      [
        { header: "tool", value: ({ name }) => name },
        { header: "calls of this tool", kind: "count", value: ({ calls }) => calls },
      ],
      { note },
    ),
    { columns, hasColor: false, zone: "UTC" },
  ).split("\n");

describe("a table", () => {
  test("shortens texts and long headers in their middle, never numbers", () => {
    const rows = [{ name: "a-tool-with-a-very-long-name", calls: 1_234_567 }];
    expect(rendered(rows, 80)).toEqual([
      "tool                          calls of this tool",
      "a-tool-with-a-very-long-name           1,234,567",
    ]);
    expect(rendered(rows, 36)).toEqual([
      "tool               calls of…his tool",
      "a-tool-w…ong-name          1,234,567",
    ]);
    expect(rendered(rows, 20)).toEqual(["tool      calls…tool", "a-to…ame   1,234,567"]);
  });

  test("never cuts a number, and is no wider than the terminal where that is possible", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: fc.string(), calls: fc.nat() }), { minLength: 1 }),
        fc.integer({ min: 22, max: 200 }),
        (rows, columns) => {
          const [, ...lines] = rendered(rows, columns);
          expect(lines).toHaveLength(rows.length);
          for (const [index, line] of lines.entries()) {
            expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns);
            expect(line).toEndWith(rows[index]?.calls.toLocaleString("en-US") ?? "");
          }
        },
      ),
    );
  });

  test("without rows is its note, wrapped", () => {
    expect(rendered([], 12, "There are no calls.")).toEqual(["There are no", "calls."]);
  });
});

test("a text that is cut keeps both ends, whole characters, and its width", () => {
  expect(elide("read_text_file", 9)).toBe("read…file");
  expect(elide("读取文本文件", 7)).toBe("读…文件");
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 2, max: 30 }), (text, width) => {
      const cut = elide(text, width);
      expect(Bun.stringWidth(cut)).toBeLessThanOrEqual(Math.max(width, 0));
      if (Bun.stringWidth(text) <= width) expect(cut).toBe(text);
      else expect(cut).toContain("…");
    }),
  );
});
