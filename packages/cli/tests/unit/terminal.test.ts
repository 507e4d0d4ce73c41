import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { CommandError } from "../../src/failures/command-error.ts";
import { ReaderLeft, guarded, processTerminal } from "../../src/output/terminal.ts";
import { memoryTerminal } from "../support/toolmeter.ts";

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

test.each([
  ["EPIPE", ReaderLeft, ""],
  ["ENOSPC", CommandError, "Expected to write to standard output, but the disk is full (ENOSPC)."],
  ["ODD", Error, "ODD"],
])("data that cannot be written because of %s", async (code, kind, message) => {
  const terminal = processTerminal(() => Promise.reject(Object.assign(new Error(code), { code })));
  const failure = await terminal.out("data").then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(kind);
  expect(String(failure)).toContain(message);
});

test.each([
  [{ hasColor: true }, "\u001B[31mred\u001B[39m"],
  [{ isInteractive: true }, "\u001B[31mred\u001B[39m"],
  [{}, " red "],
])("the exit of a terminal %p lets only our own sequences pass", async (options, expected) => {
  const { terminal, written } = memoryTerminal(options);
  const exit = guarded(terminal);
  await exit.out("\u001B[31mred\u001B[39m\u001B[2J\u009B\u202E\n");
  exit.err("\u001B[31mred\u001B[39m\u202E");
  expect(written).toEqual({ out: `${expected} [2J  \n`, err: " red  \n" });
});
