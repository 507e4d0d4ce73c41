import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { processTerminal } from "../../src/terminal.ts";

const NAMES = ["COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM"] as const;
const before = NAMES.map((name) => [name, process.env[name]] as const);

afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

function terminalWith(variables: Partial<Record<(typeof NAMES)[number], string>>) {
  for (const name of NAMES) delete process.env[name];
  Object.assign(process.env, variables);
  return processTerminal();
}

describe("the process's terminal", () => {
  test.each([
    [{ FORCE_COLOR: "1" }, true],
    [{ FORCE_COLOR: "0" }, false],
    [{ FORCE_COLOR: "1", NO_COLOR: "1" }, false],
  ])("with %p has colours: %p", (variables, expected) => {
    expect(terminalWith(variables).hasColor).toBe(expected);
  });

  test("is as wide as it is told to be; where nothing tells, wide enough for whole lines", () => {
    expect(terminalWith({ COLUMNS: "66" }).columns).toBe(66);
    expect(terminalWith({}).columns).toBeGreaterThanOrEqual(80);
  });

  test("says messages beside the data, each on its line", () => {
    const write = spyOn(process.stderr, "write").mockImplementation(() => true);
    try {
      terminalWith({}).err("a word");
      expect(write.mock.calls).toEqual([["a word\n"]]);
    } finally {
      write.mockRestore();
    }
  });

  test("resolves when data is taken", async () => {
    expect(await terminalWith({}).out("")).toBeUndefined();
  });
});
