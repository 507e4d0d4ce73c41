import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { LineFile } from "../../../../src/analytics/journal/line-file.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

test.each([
  ["one-byte", "a"],
  ["two-byte", "é"],
  ["three-byte", "漢"],
  ["four-byte", "😀"],
])("writes long lines of %s characters whole", (_width, character) => {
  using directory = temporaryDirectory();
  const path = directory.file("lines");
  const file = LineFile.create(path, "header\n");
  let expected = "header\n";
  for (const length of [10_000, 21_845, 21_846, 30_000, 65_536, 70_000]) {
    const line = `${character.repeat(length)}\n`;
    expect(file.append(line)).toBe(Buffer.byteLength(line));
    expected += line;
  }
  expect(readFileSync(path, "utf8") === expected).toBe(true);
  expect(file.length).toBe(Buffer.byteLength(expected));
  file.close();
});

test.skipIf(process.platform === "win32")(
  "leaves nothing of a line that does not fit, so that the next line is whole",
  async () => {
    using directory = temporaryDirectory();
    const path = directory.file("lines");
    const module = fileURLToPath(
      new URL("../../../../src/analytics/journal/line-file.ts", import.meta.url),
    );
    const script = `
      import { LineFile } from ${JSON.stringify(module)};
      const file = LineFile.create(${JSON.stringify(path)}, "header\\n");
      try {
        file.append("x".repeat(10_000) + "\\n");
      } catch (error) {
        console.log(error.message);
      }
      file.append("whole\\n");`;
    // The limit on file sizes cuts a write short as a full disk does.
    const child = Bun.spawn(
      ["sh", "-c", `trap '' XFSZ; ulimit -f 2; exec "$0" -e "$1"`, process.execPath, script],
      { stdout: "pipe", stderr: "pipe" },
    );
    expect(await new Response(child.stderr).text()).toBe("");
    expect(await new Response(child.stdout).text()).toBe("no space left for a whole line\n");
    expect(readFileSync(path, "utf8")).toBe("header\nwhole\n");
  },
);
