/** `scripts/bun.mjs` in real child processes, in a project whose path holds a space. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const PINNED = "1.4.5";
/** A project that a real Bun can install without a network: its one dependency is its own. */
const PROJECT = {
  "node.cjs": "delete process.versions.bun;",
  "package.json": `{ "packageManager": "bun@${PINNED}", "workspaces": ["member"] }`,
  "member/package.json": `{ "name": "member" }`,
  "bun.lock": `{
    "lockfileVersion": 1,
    "workspaces": { "": {}, "member": { "name": "member" } },
    "packages": { "member": ["member@workspace:member"] },
  }`,
};
/** On a machine without Node, Bun stands in for it, and does not say that it is Bun. */
const node = [Bun.which("node") ?? process.execPath, "-r", "./node.cjs"];
const workspace = mkdtempSync(join(tmpdir(), "toolmeter bootstrap "));
let project: string;

beforeEach(async () => {
  project = mkdtempSync(join(workspace, "project "));
  mkdirSync(join(project, "scripts"));
  cpSync(join(import.meta.dir, "../scripts/bun.mjs"), join(project, "scripts/bun.mjs"));
  for (const [name, text] of Object.entries(PROJECT)) await Bun.write(join(project, name), text);
  mkdirSync(join(project, "real"));
  symlinkSync(process.execPath, join(project, "real/bun"));
});

afterAll(() => {
  rmSync(workspace, { recursive: true, force: true });
});

/** Puts a shell script on the PATH that `start` uses; `log` in it writes a line to `read("log")`. */
async function program(name: string, script: string): Promise<void> {
  const path = join(project, "path", name);
  const log = `log() { echo "$@" >>${JSON.stringify(join(project, "log"))}; }`;
  await Bun.write(path, `#!/bin/sh\n${log}\n${script}\n`);
  chmodSync(path, 0o755);
}

/** A Bun that has this version and logs what it is told. */
function bunProgram(version: string, name = "bun"): Promise<void> {
  return program(name, `[ "$1" = --version ] && echo ${version} && exit; log ${name}: "$@"`);
}

/** An npm whose package `bun` is a program of this version and name, once its install.js was run. */
async function npmProgram(version: string, name = "downloaded"): Promise<void> {
  await bunProgram(version, name);
  await program(
    "npm",
    `log npm: "$@"; echo added 3 packages; /bin/mkdir -p node_modules/.bin node_modules/bun
     echo 'const { rmSync, symlinkSync } = require("node:fs");
       rmSync("node_modules/.bin/bun", { force: true });
       symlinkSync("../../../path/${name}", "node_modules/.bin/bun");' >node_modules/bun/install.js`,
  );
}

/** What PATH holds: only what `program` made, or a real Bun behind it. */
const FAKE = ["path"];
const REAL = ["path", "real"];

function start(args: string[], path: readonly string[] = FAKE, runtime = node) {
  return Bun.spawn([...runtime, join(project, "scripts/bun.mjs"), ...args], {
    cwd: project,
    env: { PATH: path.map((part) => resolve(project, part)).join(":"), HOME: project },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function finish(child: ReturnType<typeof start>) {
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, signal: child.signalCode, stdout, stderr };
}

const run = (...parameters: Parameters<typeof start>) => finish(start(...parameters));

/** What the programs logged, line by line. */
async function logged(): Promise<string[]> {
  const text = await Bun.file(join(project, "log")).text();
  return text.trim().split("\n");
}

describe("the Bun that is found", () => {
  test.each(["1.4.5", "1.4.10", "1.10.0", "2.0.0", "1.4.6-canary.1+abc"])(
    "may be %s",
    async (version) => {
      await bunProgram(version);
      expect(await run(["run", "x"])).toMatchObject({ exitCode: 0 });
      expect(await logged()).toEqual(["bun: install --frozen-lockfile", "bun: run x"]);
    },
  );

  test.each(["1.0.0", "1.4.4", "0.9.99", "not a version"])(
    "is passed over when it says %s, for a later one on PATH",
    async (version) => {
      await bunProgram(version);
      await Bun.write(join(project, "script.ts"), "console.log(process.execPath)");
      const { stdout } = await run(["script.ts"], REAL);
      expect(stdout).toBe(`${process.execPath}\n`);
    },
  );

  test("is passed over when it cannot be run here", async () => {
    await Bun.write(join(project, "path/bun"), "\x7fELF of another machine");
    chmodSync(join(project, "path/bun"), 0o755);
    expect(await run(["--version"], REAL)).toMatchObject({
      exitCode: 0,
      stdout: `${Bun.version}\n`,
    });
  });

  test("is the one that runs the script, if one does", async () => {
    await bunProgram("9.0.0");
    const { stdout } = await run(["--version"], FAKE, [process.execPath]);
    expect(stdout).toBe(`${Bun.version}\n`);
  });

  test("is first on the PATH of what it runs", async () => {
    await program("bun", `[ "$1" = --version ] && echo 9.0.0 && exit; log "$PATH"`);
    await run(["run", "x"]);
    expect((await logged()).at(-1)).toStartWith(`${join(project, "path")}:`);
  });
});

describe("without a Bun", () => {
  test("installs exactly the pinned one from npm, once, without install scripts", async () => {
    await npmProgram(PINNED);
    const first = await run(["run", "x"]);
    expect(first).toMatchObject({ exitCode: 0, stdout: "" });
    expect(first.stderr).toContain(`installing it from npm into .tools`);
    const second = await run(["run", "y"]);
    expect(second).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    expect(await logged()).toEqual([
      `npm: install --prefix . --no-save --ignore-scripts --include=optional --no-audit --no-fund bun@${PINNED}`,
      "downloaded: install --frozen-lockfile",
      "downloaded: run x",
      "downloaded: run y",
    ]);
  });

  test("says so when the installed one does not do, and then replaces it", async () => {
    await npmProgram("1.4.4", "old");
    const failed = await run(["run", "x"]);
    expect(failed).toMatchObject({ exitCode: 1, stdout: "" });
    expect(failed.stderr).toContain(`Expected bun@${PINNED} to run on`);
    await npmProgram(PINNED, "new");
    expect(await run(["run", "x"])).toMatchObject({ exitCode: 0 });
    expect((await logged()).at(-1)).toBe("new: run x");
  });

  test("says which command failed, and another way", async () => {
    await program("npm", "exit 3");
    const { exitCode, stdout, stderr } = await run(["run", "x"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(/`npm install .*`: ended with 3\. .*https:\/\/bun\.com/);
  });

  test("installs once when several runs begin together", async () => {
    await npmProgram(PINNED);
    const results = await Promise.all(["a", "b", "c", "d"].map((name) => run(["run", name])));
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    const lines = await logged();
    expect(lines.filter((line) => line.startsWith("npm"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("--frozen-lockfile"))).toHaveLength(1);
  });

  test("does not wait for a process that was killed while it installed", async () => {
    await npmProgram(PINNED);
    const gone = Bun.spawn([process.execPath, "-e", ""]);
    await gone.exited;
    await Bun.write(join(project, ".tools/lock"), String(gone.pid));
    expect(await run(["run", "x"])).toMatchObject({ exitCode: 0 });
  });
});

describe("the dependencies", () => {
  test("are installed again only when bun.lock changed since", async () => {
    await bunProgram(PINNED);
    await run(["run", "a"]);
    await run(["run", "b"]);
    utimesSync(join(project, "bun.lock"), new Date(0), new Date(0));
    await run(["run", "c"]);
    const install = "bun: install --frozen-lockfile";
    expect(await logged()).toEqual([install, "bun: run a", "bun: run b", install, "bun: run c"]);
  });

  test("are tried again after a failed install, and nothing runs without them", async () => {
    await program(
      "bun",
      `[ "$1" = --version ] && echo 9.0.0 && exit; log "$1"; echo noise; [ "$1" != install ]`,
    );
    const failed = await run(["run", "x"]);
    expect(failed).toMatchObject({ exitCode: 1, stdout: "" });
    expect(failed.stderr).toContain("noise");
    await run(["run", "x"]);
    expect(await logged()).toEqual(["install", "install"]);
  });
});

describe("what it runs", () => {
  /** Runs a real program on the real Bun. */
  async function real(script: string, ...args: string[]) {
    await Bun.write(join(project, "a script.ts"), script);
    return start(["a script.ts", ...args], REAL);
  }

  test("gets every argument as it is", async () => {
    const args = ["--flag", "two words", "", "a'b\"c", "$HOME", "*", "--", "-x"];
    const child = await real("console.log(JSON.stringify(process.argv.slice(2)))", ...args);
    expect(JSON.parse((await finish(child)).stdout)).toEqual(args);
  });

  test("writes to our stdout and stderr, and decides our exit code", async () => {
    const child = await real("console.log('out'); console.error('err'); process.exit(42)");
    expect(await finish(child)).toMatchObject({
      exitCode: 42,
      signal: null,
      stdout: "out\n",
      stderr: expect.stringMatching(/err\n$/),
    });
  });

  test.each(["SIGTERM", "SIGKILL", "SIGABRT"] as const)(
    "when killed by %s, is followed by us",
    async (signal) => {
      const child = await real(
        `process.kill(process.pid, "${signal}"); setInterval(() => {}, 1e3)`,
      );
      expect((await finish(child)).signal).toBe(signal);
    },
  );

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("gets our %s", async (signal) => {
    const child = await real(
      `process.on("${signal}", () => { console.log("got it"); process.exit(7); });
       setInterval(() => {}, 1_000);
       console.log("ready");`,
    );
    const reader = child.stdout.getReader();
    const read = async () => new TextDecoder().decode((await reader.read()).value);
    expect(await read()).toBe("ready\n");
    child.kill(signal);
    expect(await read()).toBe("got it\n");
    expect(await child.exited).toBe(7);
  });

  test("gets a signal that arrives while it starts", async () => {
    const signalAtStart = `
      const childProcess = require("node:child_process");
      const { spawn } = childProcess;
      childProcess.spawn = (...args) => {
        const child = spawn(...args);
        process.kill(process.pid, "SIGTERM");
        return child;
      };
      require("node:module").syncBuiltinESMExports();`;
    await Bun.write(join(project, "node.cjs"), PROJECT["node.cjs"] + signalAtStart);
    const child = await real("setInterval(() => {}, 1_000)");
    // Its output ends only when no process holds it any more.
    expect(await finish(child)).toMatchObject({ signal: "SIGTERM" });
  });
});
