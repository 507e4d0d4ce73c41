/** Every command whose data cannot be written says so in a sentence, and exits with 1. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CommandError } from "../../src/failures/command-error.ts";
import { run } from "../../src/run.ts";
import { command } from "../support/command.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { memoryTerminal } from "../support/toolmeter.ts";
import { trafficFile } from "../support/traffic.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let env: Record<string, string>;

beforeAll(() => {
  directory = temporaryDirectory();
  env = { TOOLMETER_DB: trafficFile(directory.file("a.db"), 300) };
});
afterAll(() => directory[Symbol.dispose]());

const FULL =
  "error: Expected to write to standard output, but the disk is full (ENOSPC). Free some space, or choose another disk.\n";
const CLOSED =
  "error: Expected to write to standard output, but it is closed (EBADF). Leave it open, or choose another output.\n";

const COMMANDS = ["--version", "--help", "report", "export --since all --quiet"];

describe.each(COMMANDS)("%s", (line) => {
  const words = line.split(" ");

  test("fails where standard output is full", async () => {
    const outcome = await command(words, { env, redirection: ">/dev/full" });
    expect(outcome).toEqual({ code: 1, out: "", err: FULL });
  });

  // The runtime opens /dev/null in its place; only Linux tells.
  test.if(process.platform === "linux")("fails where standard output is closed", async () => {
    const outcome = await command(words, { env, redirection: ">&-" });
    expect(outcome).toEqual({ code: 1, out: "", err: CLOSED });
  });

  test("is content with /dev/null, and with messages that nobody gets", async () => {
    for (const redirection of [">/dev/null 2>/dev/full", "1<>/dev/null 2>&-"]) {
      expect(await command(words, { env, redirection })).toEqual({ code: 0, out: "", err: "" });
    }
  });
});

test("without data, a closed output is no failure", async () => {
  const lines = directory.file("none.jsonl");
  await Bun.write(lines, "");
  const words = ["import", lines, "--db", directory.file("b.db"), "--quiet"];
  expect(await command(words, { redirection: ">&-" })).toEqual({ code: 0, out: "", err: "" });
});

/** They write through the same terminal. */
test.each([
  "sessions",
  "errors",
  "slow",
  "clients",
  "transitions",
  "tax",
  "confusion",
  "health",
  "check --p95 1h",
  "doctor",
  "prune --older-than 1d",
  "completion bash",
  "session --help",
])("%s passes the failure on", async (line) => {
  const { terminal, written } = memoryTerminal();
  const out = () => Promise.reject(new CommandError("Expected to write."));
  const words = line.split(" ");
  const db = words[0] === "completion" ? [] : ["--db", env["TOOLMETER_DB"] ?? ""];
  const code = await run([...words, ...db], { ...terminal, out });
  expect({ code, err: written.err }).toEqual({ code: 1, err: "error: Expected to write.\n" });
});

describe("a failure of the system", () => {
  const explained = async (error: Error) => {
    const { terminal, written } = memoryTerminal();
    const out = async () => {
      throw error;
    };
    const code = await run(["health", "--db", env["TOOLMETER_DB"] ?? ""], { ...terminal, out });
    return { code, err: written.err };
  };

  test("is a sentence: what was expected, what happened, the way out", async () => {
    const error = Object.assign(new Error("EROFS: read-only file system, open 'x'"), {
      code: "EROFS",
      syscall: "open",
      path: "/etc/x",
    });
    expect(await explained(error)).toEqual({
      code: 1,
      err: "error: Expected to open /etc/x, but the file system is read-only (EROFS). Choose another path.\n",
    });
    expect((await explained(Object.assign(new Error("odd"), { code: "EODD" }))).err).toBe(
      "error: Expected to use the file system, but the system refused: odd (EODD). Try again.\n",
    );
  });

  test("of SQLite is one, too", async () => {
    const error = Object.assign(new Error("disk image is malformed"), { code: "SQLITE_CORRUPT" });
    expect((await explained(error)).err).toBe(
      "error: Expected a result from the database, but SQLite reports: disk image is malformed (SQLITE_CORRUPT). To check the file: toolmeter doctor --deep\n",
    );
  });

  test("a fault of our own keeps its stack", async () => {
    expect((await explained(new RangeError("ours"))).err).toContain("    at ");
  });
});
