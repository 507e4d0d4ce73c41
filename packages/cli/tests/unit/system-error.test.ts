import { expect, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { describeSystemError } from "../../src/failures/system-error.ts";

function errorOf(step: () => unknown): unknown {
  try {
    return step();
  } catch (error) {
    return error;
  }
}

test("a failed system call becomes what was expected, what happened, and the way out", () => {
  const missing = errorOf(() => readFileSync("/no/such/file"));
  expect(describeSystemError(missing)).toMatch(
    /^Expected to open \/no\/such\/file, but .+ \(ENOENT\)\. .+\.$/,
  );
  const directory = errorOf(() => readdirSync("/dev/null"));
  expect(describeSystemError(directory, "Expected to list it")).toMatch(
    /^Expected to list it, but .+ \(ENOTDIR\)\. .+\.$/,
  );
});

test("a code without a sentence of its own keeps the system's words", () => {
  const error = Object.assign(new Error("host is down"), { code: "EHOSTDOWN" });
  expect(describeSystemError(error)).toContain("host is down (EHOSTDOWN)");
});

test.each([
  ["no error", "ENOENT"],
  ["an error without a code", new Error("a")],
  ["a code of Node's own", Object.assign(new Error("a"), { code: "ERR_INVALID_ARG_TYPE" })],
])("%s is none of the system", (_name, error) => {
  expect(describeSystemError(error)).toBeUndefined();
});
