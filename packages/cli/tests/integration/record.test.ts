/** The recorder around stdio servers: nothing changes for either side, and every call is there. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type CallRecord, openAnalyticsReader, streamCalls } from "@toolmeter/core/queries";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { until } from "@toolmeter/testing/until";

const TOOLMETER = join(import.meta.dir, "../../src/toolmeter.ts");
const SERVER = join(import.meta.dir, "../programs/server.ts");
const BUN = process.execPath;

let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  directory = temporaryDirectory();
});

afterEach(() => directory[Symbol.dispose]());

const line = (message: object) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`;
const INITIALIZE = line({
  id: 0,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "tester", version: "9" },
  },
});
const call = (id: number, given: object = {}, name = "echo") =>
  line({ id, method: "tools/call", params: { name, arguments: given } });

function spawn(words: readonly string[], env: Record<string, string> = {}) {
  return Bun.spawn([...words], {
    env: { ...process.env, TOOLMETER_DB: directory.file("a.db"), ...env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
}

type Child = ReturnType<typeof spawn>;

const recorded = (...words: readonly string[]) => [BUN, TOOLMETER, "record", ...words];
const server = (...words: readonly string[]) => [BUN, SERVER, ...words];

/** What a child says until its end, given some input. */
async function outcome(child: Child, input: string) {
  void child.stdin.write(input);
  await child.stdin.end();
  const [out, err] = await Promise.all([child.stdout.bytes(), child.stderr.text()]);
  await child.exited;
  return { out: Buffer.from(out), err, code: child.exitCode, signal: child.signalCode };
}

/** Reads until so many lines came. */
async function lines(child: Child, count: number): Promise<string> {
  const reader = child.stdout.getReader();
  let text = "";
  while (text.split("\n").length <= count) {
    const { done, value } = await reader.read();
    if (done) break;
    text += Buffer.from(value).toString();
  }
  reader.releaseLock();
  return text;
}

async function rows(): Promise<readonly CallRecord[]> {
  using source = await openAnalyticsReader(directory.file("a.db"));
  return [...streamCalls(source, {})];
}

async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
    return !(await Bun.file(`/proc/${pid}/stat`).text()).includes(") Z ");
  } catch {
    return false;
  }
}

describe("toolmeter record", () => {
  test("passes every byte on, whatever its length and whatever else is printed", async () => {
    const input = [
      INITIALIZE,
      call(1),
      call(2, { noise: "not a message ü\n\n{broken json\n\u0000\u0001\n" }),
      call(3, { bytes: 12_000_000 }),
      "\n",
      call(4, { bytes: 100_000, noise: "x".repeat(200_000) }),
    ].join("");
    const direct = await outcome(spawn(server()), input);
    const behind = await outcome(spawn(recorded(...server())), input);
    expect(Bun.hash(behind.out)).toBe(Bun.hash(direct.out));
    expect(behind.out.length).toBeGreaterThan(12_300_000);
    expect({ ...behind, out: 0 }).toEqual({ ...direct, out: 0 });
    // The last answer shares its line with the noise: it is no message.
    expect(
      (await rows()).map(({ request_id, status, output_bytes }) => [
        request_id,
        status,
        Number(output_bytes) > 0,
      ]),
    ).toEqual([
      ["1", "success", true],
      ["2", "success", true],
      ["3", "success", true],
      ["4", "cancelled", false],
    ]);
  });

  test("records who called whom, over stdio", async () => {
    await outcome(spawn(recorded(...server())), INITIALIZE + call(1));
    expect(await rows()).toMatchObject([
      {
        tool_name: "echo",
        client_name: "tester",
        server_name: "test",
        transport: "stdio",
        arguments: null,
      },
    ]);
  });

  test.each([
    [["--", ...server()], {}],
    [["--server-name", "mine", "--payloads", "--redact", "bytes", "--", ...server()], {}],
    [["--server-name", "mine", ...server(), "--db", "its own option"], {}],
    [server(), { TOOLMETER_PAYLOADS: "false" }],
    [
      server(),
      { TOOLMETER_SERVER_NAME: "mine", TOOLMETER_PAYLOADS: "1", TOOLMETER_REDACT: "bytes" },
    ],
  ])("takes its options before the command, or from the environment: %p", async (words, env) => {
    const { code } = await outcome(
      spawn(recorded(...words), env),
      INITIALIZE + call(1, { bytes: 8 }),
    );
    expect(code).toBe(0);
    const isNamed = JSON.stringify([words, env]).includes("mine");
    const isPaid = /--payloads|PAYLOADS":"1/.test(JSON.stringify([words, env]));
    const [row] = await rows();
    expect(row?.server_name).toBe(isNamed ? "mine" : "test");
    expect(row?.arguments).toBe(isPaid ? '{"bytes":"[redacted]"}' : null);
  });

  test.each([
    [{ exit: 0 }, 0],
    [{ exit: 7 }, 7],
    [{ kill: "SIGTERM" }, 143],
    [{ kill: "SIGKILL" }, 137],
  ])("a server that ends by %p gives its code", async (given, code) => {
    const ended = await outcome(spawn(recorded(...server())), INITIALIZE + call(1, given));
    expect({ code: ended.code, err: ended.err }).toEqual({ code, err: "ready\n" });
    expect(await rows()).toMatchObject([{ request_id: "1", status: "cancelled" }]);
  });

  test.each([
    [["/no/such/server"], 127, "/no/such/server was not found"],
    [["/dev/null"], 126, "the system refused"],
  ])("%p cannot be run: %d", async (words, code, message) => {
    const ended = await outcome(spawn(recorded(...words)), "");
    expect(ended).toMatchObject({ code, out: Buffer.alloc(0) });
    expect(ended.err).toContain(message);
  });

  test("makes no file for a program that is no server", async () => {
    const ended = await outcome(spawn(recorded("echo", "hello")), "");
    expect(ended).toMatchObject({ code: 0, out: Buffer.from("hello\n"), err: "" });
    expect(await Bun.file(directory.file("a.db")).exists()).toBe(false);
  });

  test("records nothing while it is switched off, and passes on all the same", async () => {
    const { out, code } = await outcome(
      spawn(recorded(...server()), { TOOLMETER_DISABLED: "1" }),
      INITIALIZE + call(1),
    );
    expect(code).toBe(0);
    expect(out.toString().split("\n")).toHaveLength(3);
    expect(await Bun.file(directory.file("a.db")).exists()).toBe(false);
  });

  test("goes on without its file, after a word", async () => {
    const { out, err, code } = await outcome(
      spawn(recorded("--db", "/proc/none/a.db", "--", ...server())),
      INITIALIZE + call(1),
    );
    expect(code).toBe(0);
    expect(out.toString().split("\n")).toHaveLength(3);
    expect(err).toContain("/proc/none");
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "tells %s on, and ends as the server does",
    async (signal) => {
      const child = spawn(recorded(...server()));
      void child.stdin.write(INITIALIZE + call(1));
      await child.stdin.flush();
      await lines(child, 2);
      child.kill(signal);
      await child.exited;
      expect(child.exitCode).toBe({ SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }[signal]);
      expect(await rows()).toMatchObject([{ status: "success" }]);
    },
  );

  test("leaves no server behind when it is told to stop, however stubborn", async () => {
    const file = directory.file("pid");
    const child = spawn(recorded(...server("stubborn", "pid", file)));
    void child.stdin.write(INITIALIZE);
    await child.stdin.flush();
    await lines(child, 1);
    const pid = Number(await Bun.file(file).text());
    expect(await isAlive(pid)).toBe(true);
    child.kill("SIGTERM");
    expect(await child.stderr.text()).toContain("told to end");
    await child.exited;
    expect(child.exitCode).toBe(137);
    expect(await isAlive(pid)).toBe(false);
  }, 10_000);

  test("killed itself, it has journalled what was answered and what was not; its server ends with its input", async () => {
    const file = directory.file("pid");
    const child = spawn(recorded(...server("pid", file)));
    void child.stdin.write(INITIALIZE + call(1));
    await child.stdin.flush();
    await lines(child, 2);
    void child.stdin.write(
      call(2, {}, "slow").replace('"arguments":{}', '"arguments":{"hang":true}'),
    );
    await child.stdin.flush();
    // Until the recorder has it.
    const journals = new Bun.Glob("*.jsonl");
    const isJournalled = async () => {
      for await (const path of journals.scan({
        cwd: directory.file("a.db.journal"),
        absolute: true,
      })) {
        if ((await Bun.file(path).text()).includes('"slow"')) return true;
      }
      return false;
    };
    await until(isJournalled);
    child.kill("SIGKILL");
    await child.exited;
    process.kill(Number(await Bun.file(file).text()), "SIGKILL");
    expect(await rows()).toMatchObject([
      { tool_name: "echo", status: "success" },
      { tool_name: "slow", status: "abandoned" },
    ]);
  });

  test("a client that reads no more does not stop it from ending", async () => {
    const child = spawn(recorded(...server()));
    void child.stdin.write(INITIALIZE);
    await child.stdin.flush();
    await child.stdout.cancel();
    void child.stdin.write(call(1, { bytes: 1_000_000 }));
    await child.stdin.end();
    await child.exited;
    expect(await rows()).toMatchObject([{ tool_name: "echo" }]);
  });
});
