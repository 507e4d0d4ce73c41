import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempDisposableSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type AnalyticsDb, createAnalyticsDb, sessionSummaries, toolCalls } from "@toolmeter/core";
import { count, eq } from "drizzle-orm";
import { plan } from "../demo/calls.ts";
import { type FinishedExample, startExample } from "./run-example.ts";

const PLANNED_CALLS = plan("/").flatMap((server) => server.calls).length;
const TIMEOUT_MS = 30_000;
const TOOLMETER = fileURLToPath(import.meta.resolve("@toolmeter/cli/src/toolmeter.ts"));

/** A place of its own for a demo: its database, its temporary directory, its working directory. */
function demoHome() {
  const directory = mkdtempDisposableSync(join(tmpdir(), "toolmeter-test-"));
  const at = (name: string) => join(directory.path, name);
  mkdirSync(at("temporary"));
  const environment = { TOOLMETER_DB: at("analytics.db"), TMPDIR: at("temporary") };
  return {
    at,
    start: (env: Record<string, string> = {}) =>
      startExample("demo.ts", { cwd: directory.path, env: { ...environment, ...env } }),
    openDb: () => createAnalyticsDb(at("analytics.db")),
    leftFiles: () => readdirSync(at("temporary")),
    [Symbol.dispose]: () => directory.remove(),
  };
}

describe("bun run demo", () => {
  const home = demoHome();
  let runs: FinishedExample[];
  let db: AnalyticsDb;

  beforeAll(async () => {
    runs = [await home.start().finished, await home.start().finished];
    db = home.openDb();
  }, TIMEOUT_MS);

  afterAll(() => {
    db.close();
    home[Symbol.dispose]();
  });

  test("ends by itself and leaves neither a process nor a temporary file", () => {
    const ends = runs.map(({ exitCode, leftProcesses }) => ({ exitCode, leftProcesses }));
    expect(ends).toEqual([
      { exitCode: 0, leftProcesses: false },
      { exitCode: 0, leftProcesses: false },
    ]);
    expect(home.leftFiles()).toEqual([]);
  });

  test("records every call that it makes; a second run adds to the same file", async () => {
    for (const run of runs) expect(run.stderr).toContain(`${PLANNED_CALLS} calls were added`);
    expect(await db.$count(toolCalls)).toBe(2 * PLANNED_CALLS);
  });

  test("meets every way in which a call can end for a client of today", () => {
    const { status } = toolCalls;
    const endings = db.select({ status, calls: count() }).from(toolCalls).groupBy(status).all();
    expect(Object.fromEntries(endings.map((ending) => [ending.status, ending.calls / 2]))).toEqual({
      success: 32,
      error: 7,
      rejected: 7,
      cancelled: 1,
      timeout: 1,
    });
  });

  test("records what became of a call", () => {
    const { toolName, status, errorType, errorCode, errorMessage, serverName } = toolCalls;
    const last = (name: string) =>
      db
        .select({ status, errorType, errorCode, errorMessage, serverName })
        .from(toolCalls)
        .where(eq(toolName, name))
        .orderBy(toolCalls.sequence)
        .all()
        .at(-1);
    const nothing = { errorType: null, errorCode: null, errorMessage: null };
    const everything = { serverName: "mcp-servers/everything" };
    expect(last("get-env")).toEqual({ ...everything, ...nothing, status: "success" });
    expect(last("no-such-tool")).toEqual({
      ...everything,
      status: "rejected",
      errorType: "unknown_tool",
      errorCode: -32602,
      errorMessage: "Tool no-such-tool not found",
    });
    expect(last("get-resource-reference")).toEqual({
      ...everything,
      status: "error",
      errorType: "tool_error",
      errorCode: null,
      errorMessage: "Invalid resourceId: -1. Must be a finite positive integer.",
    });
  });

  test("records a cancelled call and a time-out when their client gave up, not when the tool did", () => {
    const { status, errorType, errorMessage, durationMs } = toolCalls;
    const calls = db
      .select({ status, errorType, errorMessage, durationMs })
      .from(toolCalls)
      .where(eq(toolCalls.toolName, "trigger-long-running-operation"))
      .orderBy(toolCalls.sequence)
      .limit(4)
      .all();
    const outcomes = calls.map(({ durationMs: _durationMs, ...outcome }) => outcome);
    expect(outcomes).toEqual([
      { status: "success", errorType: null, errorMessage: null },
      { status: "success", errorType: null, errorMessage: null },
      { status: "cancelled", errorType: null, errorMessage: "stopped by the user" },
      { status: "timeout", errorType: null, errorMessage: "SdkError: Request timed out" },
    ]);
    // Timers may fire a little early; the tool would have taken 500 ms.
    const atLeastMs = [200, 600, 100, 150];
    expect(calls.map((call, index) => call.durationMs > (atLeastMs[index] ?? 0) - 5)).toEqual(
      atLeastMs.map(() => true),
    );
  });

  test("counts the bytes of arguments and results in UTF-8", () => {
    const { toolName, inputBytes, outputBytes } = toolCalls;
    const [, multibyte] = db
      .select({ inputBytes, outputBytes })
      .from(toolCalls)
      .where(eq(toolName, "echo"))
      .orderBy(toolCalls.sequence)
      .all();
    const message = "Příliš žluťoučký kůň · 你好，世界 · مرحبا · 🐎";
    expect(multibyte).toEqual({
      inputBytes: Buffer.byteLength(JSON.stringify({ message })),
      outputBytes: Buffer.byteLength(
        JSON.stringify({ content: [{ type: "text", text: `Echo: ${message}` }] }),
      ),
    });
  });

  test("records one session for each connection, with both parties, ended", () => {
    const sessions = db.select().from(sessionSummaries).orderBy(sessionSummaries.startedAt).all();
    const parties = { clientName: "toolmeter-demo", transport: "stdio", kind: "connection" };
    const [everything, filesystem] = plan("/").map((server) => server.calls.length);
    const oneRun = [
      // The one ends with its process, the other when its client lets go.
      {
        ...parties,
        serverName: "mcp-servers/everything",
        calls: everything,
        endReason: "shutdown",
      },
      {
        ...parties,
        serverName: "secure-filesystem-server",
        calls: filesystem,
        endReason: "closed",
      },
    ];
    expect(sessions).toMatchObject([...oneRun, ...oneRun]);
    expect(sessions.filter((session) => session.endedAt === null)).toEqual([]);
  });

  test("prints the report of toolmeter on stdout, and nothing else", async () => {
    const report = Bun.spawn([process.execPath, TOOLMETER, "--since", "all"], {
      env: { ...process.env, TOOLMETER_DB: home.at("analytics.db") },
    });
    expect(runs[1]?.stdout).toBe(await report.stdout.text());
    expect(runs[1]?.stdout).toStartWith(`All time\n${home.at("analytics.db")}\n`);
  });

  test("tells its progress and where to go on, on stderr", () => {
    const progress = [
      'Starting the server "everything"',
      "Making 25 calls",
      'Starting the server "filesystem"',
      "Making 23 calls",
      "",
      `${PLANNED_CALLS} calls were added to this file. To query it further:`,
      `  export TOOLMETER_DB=${Bun.$.escape(home.at("analytics.db"))}`,
      "  npm run -s toolmeter -- errors",
      "",
    ];
    expect(runs[0]?.stderr.split("\n")).toEqual(progress);
  });

  test(
    "leaves the user's own file alone",
    async () => {
      using other = demoHome();
      const finished = await other.start({ TOOLMETER_DB: "", XDG_DATA_HOME: other.at("data") })
        .finished;
      expect(finished.exitCode).toBe(0);
      const files = readdirSync(other.at("data/toolmeter"));
      expect(files.filter((name) => !name.startsWith("demo.db"))).toEqual([]);
      expect(files).toContain("demo.db");
    },
    TIMEOUT_MS,
  );
});

describe("bun run demo, in trouble", () => {
  test(
    "keeps what it recorded when it is interrupted",
    async () => {
      using home = demoHome();
      const demo = home.start();
      await demo.said("Making 25 calls");
      demo.kill("SIGTERM");
      const { exitCode, stdout, stderr, leftProcesses } = await demo.finished;
      expect({ exitCode, stdout, leftProcesses }).toEqual({
        exitCode: 1,
        stdout: "",
        leftProcesses: false,
      });
      expect(stderr).toEndWith("Stopped by SIGTERM.\n");
      expect(home.leftFiles()).toEqual([]);
      using db = home.openDb();
      const [session] = db.select().from(sessionSummaries).all();
      expect(session?.endedAt).not.toBeNull();
      expect(session?.calls).toBeGreaterThan(0);
      expect(session?.calls).toBeLessThan(25);
    },
    TIMEOUT_MS,
  );

  test(
    "says why a server did not start, in that server's words",
    async () => {
      using home = demoHome();
      writeFileSync(home.at("bunfig.toml"), 'preload = ["./fail.ts"]');
      writeFileSync(
        home.at("fail.ts"),
        'if (Bun.main.includes("server-filesystem")) { console.error("No disk today."); process.exit(3); }',
      );
      const { exitCode, stdout, stderr, leftProcesses } = await home.start().finished;
      expect({ exitCode, stdout, leftProcesses }).toEqual({
        exitCode: 1,
        stdout: "",
        leftProcesses: false,
      });
      expect(stderr).toEndWith(
        'Expected the server "filesystem" to start and stay up, but: Connection closed.\nNo disk today.\n',
      );
      expect(home.leftFiles()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "says why the database cannot be opened, and starts nothing",
    async () => {
      using home = demoHome();
      const { exitCode, stdout, stderr } = await home.start({ TOOLMETER_DB: home.at("temporary") })
        .finished;
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
      expect(stderr).toStartWith(`Expected a file, got the directory ${home.at("temporary")}.`);
    },
    TIMEOUT_MS,
  );

  test(
    "says that recording is switched off",
    async () => {
      using home = demoHome();
      const { exitCode, stderr } = await home.start({ TOOLMETER_DISABLED: "1" }).finished;
      expect(exitCode).toBe(1);
      expect(stderr).toEndWith("but TOOLMETER_DISABLED switches it off. Unset it.\n");
    },
    TIMEOUT_MS,
  );
});
