import { describe, expect, test } from "bun:test";
import { type Column, table } from "../../src/output/page.ts";
import { render } from "../../src/output/render.ts";
import { elide } from "../../src/output/table.ts";
import { memoryTerminal } from "../support/toolmeter.ts";

interface Row {
  readonly name: string;
  readonly calls: number | null;
  readonly at: number;
}

const ROWS: readonly Row[] = [
  { name: "read|file", calls: 1_234, at: 0 },
  { name: '=cmd()",\n', calls: null, at: 86_400_000 },
];

const COLUMNS: readonly Column<Row>[] = [
  { header: "name", value: ({ name }) => name },
  { header: "calls", kind: "count", value: ({ calls }) => calls, tone: () => "bad" },
  { header: "at", kind: "time", value: ({ at }) => at },
];

const PAGE = {
  data: ROWS,
  sections: [["In short."], table(ROWS, COLUMNS, { title: "Title", note: "A note" })],
};

function shown(format: "csv" | "json" | "md" | "table", options = {}, terminal = {}): string {
  return render(PAGE, { format, zone: "UTC", ...options }, memoryTerminal(terminal).terminal);
}

describe("render", () => {
  test("as a table: numbers to the right, nothing as a dash", () => {
    expect(shown("table")).toBe(
      [
        "In short.",
        "",
        "Title",
        "name       calls  at",
        "read|file  1,234  Jan 01 00:00",
        '=cmd()",       –  Jan 02 00:00',
        "A note",
        "",
      ].join("\n"),
    );
  });

  test("quietly leaves out what is no table", () => {
    expect(shown("table", { quiet: true })).toStartWith("Title\n");
  });

  test("colours only where there are colours", () => {
    expect(shown("table")).not.toContain("\u001B");
    expect(shown("table", {}, { hasColor: true })).toContain("\u001B[31m1,234\u001B[39m");
    expect(Bun.stripANSI(shown("table", {}, { hasColor: true }))).toBe(shown("table"));
  });

  test("as JSON is the answer itself", () => {
    expect(JSON.parse(shown("json"))).toEqual(ROWS);
  });

  test("as CSV has raw numbers, ISO times and no formulas", () => {
    expect(shown("csv")).toBe(
      `name,calls,at\nread|file,1234,1970-01-01T00:00:00.000+00:00\n"'=cmd()"",\n",,1970-01-02T00:00:00.000+00:00\n`,
    );
  });

  test("as Markdown keeps its bars apart", () => {
    expect(shown("md")).toContain(String.raw`| read\|file | 1,234 | Jan 01 00:00 |`);
    expect(shown("md")).toContain("| --- | ---: | --- |");
  });

  test("shortens the widest text, never a number, until the table fits", () => {
    const rows = [{ name: "a_very_long_name_of_a_tool_that_does_things", calls: 123_456, at: 0 }];
    const page = { data: rows, sections: [table(rows, COLUMNS)] };
    const text = render(
      page,
      { format: "table", zone: "UTC" },
      memoryTerminal({ columns: 40 }).terminal,
    );
    for (const line of text.split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(40);
    expect(text).toContain("a_very_l…s_things");
    expect(text).toContain("123,456");
  });

  test("shortens a long header over numbers, too", () => {
    const rows = [{ name: "a", calls: 1, at: 0 }];
    const columns: readonly Column<Row>[] = [
      {
        header: "sum(case when status = 'error' then 1 else 0 end)",
        kind: "number",
        value: () => 5,
      },
      { header: "name", value: ({ name }) => name },
    ];
    const page = { data: rows, sections: [table(rows, columns)] };
    const { terminal } = memoryTerminal({ columns: 40 });
    const [header = "", row = ""] = render(page, { format: "table", zone: "UTC" }, terminal).split(
      "\n",
    );
    expect(header.length).toBeLessThanOrEqual(40);
    expect(header).toMatch(/^sum\(case when.*…/);
    expect(row).toEndWith("5  a");
  });

  test("copes with any number of rows, columns and characters", () => {
    const rows = Array.from({ length: 2_000 }, () => ({ name: "n", calls: 1, at: 0 }));
    const wide = Array.from({ length: 500 }, () => ({
      header: "x".repeat(99),
      value: () => "y",
    }));
    const long = [{ name: "z".repeat(5_000_000), calls: 1, at: 0 }];
    const page = {
      data: [],
      sections: [table(rows, COLUMNS), table(rows.slice(0, 2), wide), table(long, COLUMNS)],
    };
    const { terminal } = memoryTerminal({ columns: 80 });
    const lines = render(page, { format: "table", zone: "UTC" }, terminal).split("\n");
    expect(lines[0]).toBe("name  calls  at");
    expect(lines.at(-2)).toContain("zz…zz");
    expect(lines.at(-2)?.length).toBeLessThanOrEqual(80);
  }, 30_000);

  test("of an empty table is its note alone", () => {
    const page = { data: [], sections: [table<Row>([], COLUMNS, { note: "None." })] };
    const { terminal } = memoryTerminal();
    expect(render(page, { format: "table", zone: "UTC" }, terminal)).toBe("None.\n");
    expect(render(page, { format: "md", zone: "UTC" }, terminal)).toBe("None.\n");
    expect(render(page, { format: "csv", zone: "UTC" }, terminal)).toBe("name,calls,at\n");
  });
});

test.each([
  ["abcdefghij", 5, "ab…ij"],
  ["abcdefghij", 10, "abcdefghij"],
  ["你好世界你好", 7, "你…你好"],
  ["👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 5, "👩‍👩‍👧‍👦…👩‍👩‍👧‍👦"],
])("%s in %d columns is %s", (text, width, expected) => {
  expect(elide(text, width)).toBe(expected);
  expect(Bun.stringWidth(elide(text, width))).toBeLessThanOrEqual(width);
});
