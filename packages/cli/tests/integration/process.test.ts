/** The command as a process: its streams, its exit codes, and as one binary. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../../../package.json" with { type: "json" };
import { version } from "../../package.json";
import { plant } from "../support/hostile-directory.ts";
import { trafficFile } from "../support/traffic.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const ROOT = join(import.meta.dir, "../../../..");
const SOURCE = join(import.meta.dir, "../../src/toolmeter.ts");

const CALL = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "echo", arguments: {} },
});

let directory: ReturnType<typeof temporaryDirectory>;
let env: Record<string, string | undefined>;

beforeAll(() => {
  directory = temporaryDirectory();
  env = {
    ...process.env,
    TOOLMETER_DB: trafficFile(directory.file("a.db"), 2_000),
    NO_COLOR: undefined,
    FORCE_COLOR: undefined,
  };
});

afterAll(() => directory[Symbol.dispose]());

async function run(
  command: readonly string[],
  others: Record<string, string> = {},
  cwd = directory.path,
) {
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...env, ...others },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, out, err };
}

const toolmeter = (...words: readonly string[]) => run([process.execPath, SOURCE, ...words]);

describe("toolmeter", () => {
  test.each(["--version", "-V"])("%s", async (word) => {
    expect(await toolmeter(word)).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });

  test("keeps data and messages apart", async () => {
    const report = await toolmeter("--limit", "3");
    expect(report).toMatchObject({ code: 0, err: "" });
    expect(report.out).toStartWith("Last 7 days");
    const wrong = await toolmeter("tools", "--since", "soon");
    expect(wrong).toMatchObject({ code: 2, out: "" });
    expect(wrong.err).toStartWith("error: Expected a time");
  });

  test("colours a pipe only where it is forced to", async () => {
    expect((await toolmeter()).out).not.toContain("\u001B");
    const forced = await run([process.execPath, SOURCE], { FORCE_COLOR: "1" });
    expect(forced.out).toContain("\u001B[");
    const refused = await run([process.execPath, SOURCE], { FORCE_COLOR: "1", NO_COLOR: "1" });
    expect(refused.out).not.toContain("\u001B");
  });

  test.each([
    ["export", "--since", "all"],
    ["tools", "--json"],
  ])("is quiet when its reader leaves: %s", async (...words) => {
    const given = words.filter((word) => typeof word === "string");
    const command = `"${process.execPath}" "${SOURCE}" ${given.join(" ")} --quiet | head -1; echo "\${PIPESTATUS[0]}"`;
    const { out, err } = await run(["bash", "-c", command]);
    const [, code] = out.trim().split("\n");
    expect({ code, err }).toEqual({ code: "0", err: "" });
  });

  test("ends with 130 when it is interrupted", async () => {
    const child = Bun.spawn([process.execPath, SOURCE, "tail"], {
      env,
      stdout: "pipe",
      stderr: "pipe",
    });
    for await (const _ of child.stdout) {
      child.kill("SIGINT");
      break;
    }
    expect(await child.exited).toBe(130);
  });

  test("doctor proves with a real call that recording works", async () => {
    const { code, out, err } = await toolmeter("doctor", "--deep", "--json");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const findings: { check: string; status: string }[] = JSON.parse(out);
    expect(findings.find(({ check }) => check === "a recorded call")).toMatchObject({
      status: "ok",
    });
    expect(findings.filter(({ status }) => status !== "ok")).toEqual([]);
  });
});

test("as one binary it records, reports and proves itself", async () => {
  const binary = directory.file("toolmeter");
  // As `npm run build` does it.
  const words = manifest.scripts.compile.replace("dist/toolmeter", "<binary>").split(" ").slice(1);
  const own = words.map((word) => (word === "<binary>" ? binary : word));
  const build = await run([process.execPath, ...own], {}, ROOT);
  expect(build.code, build.err).toBe(0);
  expect(await run([binary, "--version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
  expect((await run([binary, "--limit", "3"])).out).toStartWith("Last 7 days");
  const doctor = await run([binary, "doctor", "--json", "--db", directory.file("new.db")]);
  expect(doctor.code, doctor.out + doctor.err).toBe(0);
  // Its writing thread is inside: nothing warns.
  const server = join(import.meta.dir, "../programs/server.ts");
  const recorded = await run([
    "sh",
    "-c",
    `echo '${CALL}' | "$0" record "$1" "$2"`,
    binary,
    process.execPath,
    server,
  ]);
  expect(recorded).toMatchObject({ code: 0, err: "ready\n" });
  expect(recorded.out).toContain('"id":1');
  expect((await run([binary, "sql", "select 1 as one", "--format", "csv"])).out).toBe("one\n1\n");
  // Of the files where it is started, it reads none.
  using hostile = temporaryDirectory();
  await plant(hostile.path, true);
  const direct = await run(["env", "-0"], {}, hostile.path);
  expect(await run([binary, "record", "env", "-0"], {}, hostile.path)).toEqual(direct);
  expect(await run([binary, "doctor", "--json"], {}, hostile.path)).toMatchObject({ code: 0 });
  expect(existsSync(hostile.file("code-ran"))).toBe(false);
}, 60_000);
