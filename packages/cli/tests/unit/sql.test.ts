import { expect, test } from "bun:test";
import { readStatement } from "../../src/sql/input.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { toolmeter } from "../support/toolmeter.ts";
import { fileWith } from "../support/traffic.ts";

const streamOf = (text: string) => new Blob([text]).stream();

test("a statement is read from standard input, up to a million characters", async () => {
  expect(await readStatement(streamOf("select 'ü'"))).toBe("select 'ü'");
  expect(await readStatement(streamOf("x".repeat(1_000_000)))).toHaveLength(1_000_000);
  expect(readStatement(streamOf("x".repeat(1_000_001)))).rejects.toThrow(
    "Expected a statement of at most 1000000 characters",
  );
});

test("what cannot be answered is said in one line, with the way out", async () => {
  using directory = temporaryDirectory();
  const file = fileWith(directory.file("a.db"), [{ toolName: "a" }]);
  const endless =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
  const failures: [readonly string[], string][] = [
    [["select nonsense from tool_calls", "--db", file], "no such column: nonsense"],
    [["select 1", "--db", directory.file("none.db")], "does not exist"],
    [[endless, "--db", file, "--timeout", "200ms"], "Expected a result within 0.2 s"],
  ];
  for (const [words, message] of failures) {
    const { code, err } = await toolmeter(["sql", ...words]);
    expect({ code, err: err.split("\n")[0] }).toEqual({
      code: 1,
      err: expect.stringContaining(message),
    });
  }
});
