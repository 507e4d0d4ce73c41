import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { LineSplitter } from "../../../src/protocol/lines.ts";

function split(chunks: readonly Uint8Array[]): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const chunk of chunks) splitter.push(chunk);
  return lines;
}

describe("LineSplitter", () => {
  test("puts lines together however they were cut, also within a character", () => {
    const line = fc.string({ unit: fc.constantFrom("a", "é", "😀", "\r", "\u2028"), minLength: 1 });
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(50)), (lines, cuts) => {
        const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(""));
        const chunks: Uint8Array[] = [];
        let start = 0;
        for (const cut of [...cuts, bytes.length]) {
          chunks.push(bytes.subarray(start, start + cut));
          start += cut;
        }
        expect(split(chunks)).toEqual(lines);
      }),
    );
  });

  test("keeps its own copy of what it waits with", () => {
    const chunk = Buffer.from("abc");
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line));
    splitter.push(chunk);
    chunk.fill("x");
    splitter.push(Buffer.from("\n"));
    expect(lines).toEqual(["abc"]);
  });

  test("passes over a line that is too long, and goes on after it", () => {
    const large = Buffer.alloc(48 * 1_048_576, "x");
    expect(split([large, large, Buffer.from("x\nnext\n")])).toEqual(["next"]);
  });

  test("has nothing to say of empty lines", () => {
    expect(split([Buffer.from("\n\na\n")])).toEqual(["a"]);
  });
});
