import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { ownCommand } from "../../src/own-command.ts";

test("is the interpreter and the program, or the binary alone", () => {
  const [interpreter, program = ""] = ownCommand();
  expect(interpreter).toBe(process.execPath);
  expect(existsSync(program)).toBe(true);
  expect(ownCommand("/$bunfs/root")).toEqual([process.execPath]);
  expect(ownCommand("B:\\~BUN\\root")).toEqual([process.execPath]);
});
