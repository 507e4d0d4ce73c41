/** Adding a command takes one file: whoever forgets to list it learns so here. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { makeProgram } from "../../src/program.ts";
import { memoryTerminal } from "../support/toolmeter.ts";

const SHARED = new Set(["command-line", "index", "options"]);

test("each file of the folder declares the command it is named after", () => {
  const folder = join(import.meta.dir, "../../src/commands");
  const files = readdirSync(folder).map((file) => file.replace(/\.ts$/, ""));
  const program = makeProgram(
    memoryTerminal().terminal,
    () => undefined,
    () => undefined,
  );
  const names = program.createHelp().visibleCommands(program);
  expect(names.map((command) => command.name()).toSorted()).toEqual(
    files.filter((file) => !SHARED.has(file)).toSorted(),
  );
});

test("each command has a description and examples that name it", () => {
  const program = makeProgram(
    memoryTerminal().terminal,
    () => undefined,
    () => undefined,
  );
  for (const command of program.createHelp().visibleCommands(program)) {
    let help = "";
    command.configureOutput({ writeOut: (text) => void (help += text) });
    command.outputHelp();
    expect(command.description()).not.toBe("");
    expect(help).toMatch(
      new RegExp(`Examples:\\n(?:  \\$ .*\\n?)*  \\$ .*toolmeter(?: ${command.name()}|\\n)`),
    );
  }
});
