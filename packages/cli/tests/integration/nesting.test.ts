/** Recorders around recorders, as real processes: each call is recorded once. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { openAnalyticsReader } from "@toolmeter/core/queries";
import { ownCommand } from "../../src/own-command.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const SERVER = [process.execPath, join(import.meta.dir, "../programs/server.ts")];
const RECORD = [...ownCommand(), "record"];

const INPUT = [1, 2]
  .map((id) => ({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: { name: "echo", arguments: {} },
  }))
  .map((message) => `${JSON.stringify(message)}\n`)
  .join("");

// Up to five processes start one after the other.
setDefaultTimeout(60_000);

let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  directory = temporaryDirectory();
});

afterEach(() => directory[Symbol.dispose]());

async function answersOf(command: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([...command], {
    cwd: directory.path,
    env: { ...process.env, TOOLMETER_DB: directory.file("a.db"), ...env },
    stdin: Buffer.from(INPUT),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, out, err };
}

async function recorded(file = "a.db") {
  using source = await openAnalyticsReader(directory.file(file));
  const count = (table: string) => source.$client.query(`select count(*) from ${table}`).values();
  const names = source.$client.query("select distinct server_name from tool_calls").values();
  return { calls: count("tool_calls"), sessions: count("sessions"), names: names.flat() };
}

async function script(name: string, text: string): Promise<string> {
  const path = directory.file(name);
  await Bun.write(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** Words as one of a shell's line. */
const line = (words: readonly string[]) => words.map((word) => Bun.$.escape(word)).join(" ");

describe("a call is recorded once, in one session", () => {
  test.each([
    [
      "a recorder around a recorder",
      () => [...RECORD, "--", ...RECORD, "--server-name", "inner", ...SERVER],
      "inner",
    ],
    [
      "three of them",
      () => [
        ...RECORD,
        ...RECORD,
        "--db",
        "b.db",
        "--",
        ...RECORD,
        "--server-name",
        "inner",
        ...SERVER,
      ],
      "inner",
    ],
    [
      "through env",
      () => [...RECORD, "env", "A=1", ...RECORD, "--server-name", "inner", ...SERVER],
      "inner",
    ],
    [
      "in a shell's line that shows it",
      () => [
        ...RECORD,
        "sh",
        "-c",
        `toolmeter() { ${line(ownCommand())} "$@"; }; toolmeter record --server-name inner ${line(SERVER)}`,
      ],
      "inner",
    ],
  ])("%s: by the innermost", async (_name, command, name) => {
    const direct = await answersOf(SERVER);
    expect(await answersOf(command())).toEqual(direct);
    expect(await recorded()).toEqual({ calls: [[2]], sessions: [[1]], names: [name] });
  });

  test.skipIf(process.platform !== "linux").each([
    ["a script", (start: string) => [start]],
    ["a pipe", (start: string) => ["sh", "-c", `cat | "$0"`, start]],
    [
      "a script that is recorded in a script",
      (start: string) => ["sh", "-c", '"$@"', "sh", ...RECORD, start],
    ],
  ])("%s that starts one: by the outermost", async (_name, command) => {
    const inner = await script("start", `#!/bin/sh\n${line([...RECORD, ...SERVER])}\n`);
    const direct = await answersOf(SERVER);
    expect(await answersOf([...RECORD, "--server-name", "outer", ...command(inner)])).toEqual(
      direct,
    );
    expect(await recorded()).toEqual({ calls: [[2]], sessions: [[1]], names: ["outer"] });
  });

  test.skipIf(Bun.which("npx") === null)("npx of a project that has it", async () => {
    mkdirSync(directory.file("node_modules/.bin"), { recursive: true });
    await script("node_modules/.bin/toolmeter", `#!/bin/sh\nexec ${line(ownCommand())} "$@"\n`);
    const npx = ["npx", "--no-install", "toolmeter", "record", "--server-name", "inner"];
    const { out, code } = await answersOf([...RECORD, ...npx, ...SERVER]);
    expect({ out, code }).toEqual({ out: (await answersOf(SERVER)).out, code: 0 });
    expect(await recorded()).toEqual({ calls: [[2]], sessions: [[1]], names: ["inner"] });
  });
});

test("a recorded server that starts servers of its own does not hide their recorders", async () => {
  const db = directory.file("upstream.db");
  const upstream = [...RECORD, "--db", db, ...SERVER];
  const gateway = await script(
    "gateway.ts",
    `const upstream = Bun.spawn(${JSON.stringify(upstream)}, { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
    upstream.stdin.write(await Bun.stdin.bytes());
    upstream.stdin.end();
    process.stdout.write(await upstream.stdout.text());`,
  );
  await answersOf([...RECORD, process.execPath, gateway]);
  for (const file of ["a.db", "upstream.db"])
    expect(await recorded(file)).toMatchObject({ calls: [[2]], sessions: [[1]] });
});
