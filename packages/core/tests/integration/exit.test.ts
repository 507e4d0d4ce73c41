import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { createAnalyticsDb } from "../../src/analytics/database/database.ts";
import { journalDirectory } from "../../src/analytics/file/journal-directory.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const PROGRAM = join(import.meta.dir, "programs/end.ts");

interface Way {
  readonly way: string;
  readonly signals?: readonly NodeJS.Signals[];
  readonly exitCode?: number;
  readonly signal?: NodeJS.Signals;
  readonly stderr?: string | RegExp;
}

const WAYS: readonly Way[] = [
  { way: "natural end", exitCode: 0 },
  { way: "end of stdin", exitCode: 0 },
  { way: "process.exit", exitCode: 7 },
  { way: "uncaught throw", exitCode: 1, stderr: /thrown/ },
  { way: "unhandled rejection", exitCode: 1, stderr: /rejected/ },
  { way: "exit inside a transaction", exitCode: 7 },
  { way: "await using", exitCode: 0 },
  { way: "process.exit in the middle of shutdown()", exitCode: 7 },
  { way: "SIGTERM in the middle of shutdown()", signal: "SIGTERM" },
  ...(["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => ({
    way: "signal",
    signals: [signal],
    signal,
  })),
  { way: "signal, handled by the host", signals: ["SIGTERM"], exitCode: 3, stderr: "host" },
  {
    way: "signal, survived by the host",
    signals: ["SIGTERM", "SIGTERM"],
    signal: "SIGTERM",
    stderr: "host",
  },
];

/** More in the long run: `bun run soak exit`. */
const ROUNDS = Number(process.env["TOOLMETER_ROUNDS"] ?? 1);

/** Runs the program to its end; sends each signal when it is ready for it. */
async function end(file: string, { way, signals = [] }: Way) {
  const child = Bun.spawn([process.execPath, PROGRAM, file, way], {
    stdin: new Uint8Array(),
    stdout: "pipe",
    stderr: "pipe",
  });
  const stderr = child.stderr.getReader();
  const heard: string[] = [];
  const listen = async () => {
    const { value, done } = await stderr.read();
    if (value) heard.push(new TextDecoder().decode(value));
    return !done;
  };
  await child.stdout.getReader().read();
  const [first, ...others] = signals;
  if (first) child.kill(first);
  for (const signal of others) {
    await listen();
    child.kill(signal);
  }
  while (await listen());
  await child.exited;
  return { exitCode: child.exitCode, signal: child.signalCode, stderr: heard.join("") };
}

const named = WAYS.map((way) => [[way.way, ...(way.signals ?? [])].join(" "), way] as const);
const rounds = Array.from({ length: ROUNDS }, (_, round) =>
  named.map(([name, way]) => [name, round + 1, way] as const),
).flat();

/** What any SQLite tool sees in the file, without taking in journals. */
function look(file: string) {
  using client = new Database(file);
  return {
    calls: client
      .query("select tool_name, status, count(*) from tool_calls group by 1, 2")
      .values(),
    sessions: client.query("select id, end_reason from sessions").values(),
    integrity: client.query("pragma integrity_check").values(),
  };
}

const COMPLETE = {
  calls: [
    ["echo", "success", 5],
    ["slow", "abandoned", 1],
  ],
  sessions: [["s", "shutdown"]],
  integrity: [["ok"]],
};

describe("whatever way a process ends, its calls are in the file and it ends as it would have", () => {
  test.each(rounds)("%s, round %i", async (_name, _round, way) => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    const outcome = await end(file, way);
    expect(outcome).toEqual({
      exitCode: way.exitCode ?? null,
      signal: way.signal ?? null,
      stderr: way.stderr instanceof RegExp ? expect.stringMatching(way.stderr) : (way.stderr ?? ""),
    });
    expect(look(file)).toEqual(COMPLETE);
    expect([...new Bun.Glob("**").scanSync(journalDirectory(file))]).toEqual([]);
  });
});

describe("while another process holds the write lock", () => {
  test.each(named.filter(([name]) => name !== "exit inside a transaction"))(
    "%s: the process ends while it is locked, and the journal keeps the calls",
    async (_name, way) => {
      using directory = temporaryDirectory();
      const file = directory.file("a.db");
      const holder = createAnalyticsDb(file);
      holder.$client.run("begin immediate");
      const { exitCode, signal } = await end(file, way);
      expect({ exitCode, signal }).toEqual({
        exitCode: way.exitCode ?? null,
        signal: way.signal ?? null,
      });
      holder.$client.run("rollback");
      holder.close();
      expect(existsSync(journalDirectory(file))).toBe(true);

      createAnalyticsDb(file).close();
      expect(look(file)).toMatchObject({ calls: COMPLETE.calls, integrity: [["ok"]] });
      expect([...new Bun.Glob("**").scanSync(journalDirectory(file))]).toEqual([]);
    },
  );
});
