import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { ISOLATION, ownCommand } from "../../src/own-command.ts";

test("is the interpreter, its isolation and the program, or the binary alone", () => {
  const command = ownCommand();
  expect(command.slice(0, -1)).toEqual([process.execPath, ...ISOLATION]);
  expect(existsSync(command.at(-1) ?? "")).toBe(true);
  expect(ownCommand("/$bunfs/root")).toEqual([process.execPath]);
  expect(ownCommand("B:\\~BUN\\root")).toEqual([process.execPath]);
});
