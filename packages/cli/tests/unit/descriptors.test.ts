import { expect, test } from "bun:test";
import { closeSync, readFileSync, writeSync } from "node:fs";
import { isBroken, isReadable, makePipe, takeOver } from "../../src/record/descriptors.ts";

test("a pipe is readable once it holds data, and at its end", () => {
  const [readable, writable] = makePipe();
  expect(isReadable(readable)).toBe(false);

  writeSync(writable, "x");
  expect(isReadable(readable)).toBe(true);

  closeSync(writable);
  expect(readFileSync(readable, "utf8")).toBe("x");
  expect(isReadable(readable)).toBe(true);
  closeSync(readable);
});

test("a pipe is broken once nobody can read it", () => {
  const [readable, writable] = makePipe();
  expect(isBroken(writable)).toBe(false);

  closeSync(readable);
  expect(isBroken(writable)).toBe(true);
  closeSync(writable);
});

test("a file that is taken over is written to by its new descriptor only", () => {
  const [readable, writable] = makePipe();
  const taken = takeOver(writable);
  writeSync(writable, "to /dev/null");
  writeSync(taken, "to the reader");

  closeSync(taken);
  expect(readFileSync(readable, "utf8")).toBe("to the reader");
  closeSync(readable);
  closeSync(writable);
});
