/** No file of the current directory or its parents reaches the program or the server that it records. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ownCommand } from "../../src/own-command.ts";
import { plant } from "../support/hostile-directory.ts";
import { fileWith } from "../support/traffic.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const BARE = [process.execPath, join(import.meta.dir, "../../src/toolmeter.ts")];

let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  directory = temporaryDirectory();
});

afterEach(() => directory[Symbol.dispose]());

/** Runs a command with a variable that is no UTF-8, as a user's shell may have. */
async function run(command: readonly string[], cwd = directory.path) {
  const child = Bun.spawn(
    ["sh", "-c", `ODD="$(printf '\\377\\376')"; export ODD; exec "$@"`, "sh", ...command],
    {
      cwd,
      env: { ...process.env, TOOLMETER_DB: undefined, XDG_DATA_HOME: directory.file("data") },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [out, err] = await Promise.all([child.stdout.bytes(), child.stderr.text()]);
  return { code: await child.exited, out: Buffer.from(out).toString("latin1"), err };
}

test.each([
  ["its own command", ownCommand(), true],
  // Bun itself obeys preloads and redirections of the first module: nothing of ours has run by then.
  ["bun and the source", BARE, false],
] as const)(
  "started by %s, it runs no code and reads no variable from there, nor does its server",
  async (_name, own, isTakingOver) => {
    await plant(directory.path, isTakingOver);
    const below = directory.file("below/it");
    mkdirSync(below, { recursive: true });
    for (const cwd of [directory.path, below]) {
      for (const server of [
        ["env", "-0"],
        ["sh", "-c", 'pwd; umask; printf "%s|" "$0" "$@"', "a b", "", "*"],
      ]) {
        const direct = await run(server, cwd);
        expect(direct.out.length).toBeGreaterThan(10);
        expect(await run([...own, "record", "--", ...server], cwd)).toEqual(direct);
      }
    }
    const db = directory.file("data/toolmeter/analytics.db");
    // Both start processes of their own.
    const doctor = await run([...own, "doctor", "--json"]);
    expect(doctor).toMatchObject({ code: 0, err: "" });
    expect(doctor.out).toContain(db);
    fileWith(db, [{ toolName: "mine" }]);
    const sql = await run([...own, "sql", "select tool_name from tool_calls", "--json"]);
    expect(sql).toMatchObject({ code: 0, out: expect.stringContaining("mine"), err: "" });
    expect(existsSync(directory.file("code-ran"))).toBe(false);
  },
  30_000,
);
