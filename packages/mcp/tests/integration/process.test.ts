/** Real processes: how they end is what it was, and what they recorded is there. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ledger } from "../support/ledger.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { Conversation } from "../support/transcript.ts";
import { stdioWire } from "../support/wires.ts";

const PROGRAM = join(import.meta.dir, "../programs/exit-server.ts");
const AUTO = join(import.meta.dir, "../../src/attaching/auto.ts");

async function start(how: "plain" | "instrumented" | "auto", path: string, ...args: string[]) {
  const preload = how === "auto" ? ["--preload", AUTO] : [];
  const mode = how === "auto" ? "plain" : how;
  const wire = stdioWire([process.execPath, ...preload, PROGRAM, mode, ...args], {
    TOOLMETER_DB: path,
  });
  const client = new Conversation(wire, "2025-11-25");
  await client.begin();
  return { wire, client };
}

async function ending({ wire }: Awaited<ReturnType<typeof start>>) {
  const stderr = await wire.done;
  const { exitCode, signalCode } = wire.process;
  return { exitCode, signalCode, stderr };
}

describe.each(["instrumented", "auto"] as const)("a server that is %s", (how) => {
  test.each([
    ["hangs and is killed", "hang", "SIGKILL", { exitCode: null, signalCode: "SIGKILL" }],
    ["kills itself", "die", undefined, { exitCode: null, signalCode: "SIGKILL" }],
    ["exits within a call", "exit", undefined, { exitCode: 7, signalCode: null }],
  ] as const)("and %s leaves the call, by its name", async (_name, tool, signal, expected) => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const server = await start(how, path);
    await server.client.call(1, "echo");
    server.client.send(2, "tools/call", { name: tool, arguments: { depth: 3 } });
    if (signal) {
      await Bun.sleep(100);
      server.wire.process.kill(signal);
    }
    expect(await ending(server)).toEqual({ ...expected, stderr: "" } as never);
    const { calls, lines } = ledger(path);
    expect(lines).toEqual(["echo success - 1", `${tool} abandoned - 2`]);
    expect(calls[1]).toMatchObject({ clientName: "test-client", serverName: "exit-server" });
  });

  test("that is killed as soon as an answer is there has that call, and all before it", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const server = await start(how, path);
    for (let id = 1; id <= 5; id++) await server.client.call(id, "echo");
    server.wire.process.kill("SIGKILL");
    await ending(server);
    expect(ledger(path).lines).toEqual([1, 2, 3, 4, 5].map((id) => `echo success - ${id}`));
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("dies of %s as it did", async (signal) => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const server = await start(how, path);
    await server.client.call(1, "echo");
    server.wire.process.kill(signal);
    expect(await ending(server)).toEqual({ exitCode: null, signalCode: signal, stderr: "" });
    const { lines, sessions } = ledger(path);
    expect(lines).toEqual(["echo success - 1"]);
    expect(sessions).toMatchObject([{ kind: "connection", endReason: "shutdown" }]);
  });

  test("ends by itself at the end of its input, with the exit code that it had", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const server = await start(how, path, "3");
    await server.client.call(1, "echo");
    await server.wire.disconnect();
    expect(await ending(server)).toEqual({ exitCode: 3, signalCode: null, stderr: "" });
    expect(ledger(path).lines).toEqual(["echo success - 1"]);
  });

  test("opens no session before the first call, and none for a probe", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const server = await start(how, path);
    await server.client.request("list", "tools/list");
    await server.wire.disconnect();
    await ending(server);
    expect(ledger(path)).toMatchObject({ calls: [], sessions: [] });
  });
});

describe("auto", () => {
  const run = async (program: string, input: string, path: string) => {
    const child = Bun.spawn([process.execPath, "--preload", AUTO, "-e", program], {
      env: { ...process.env, TOOLMETER_DB: path },
      stdin: Buffer.from(input),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return { exitCode: await child.exited, stdout, stderr };
  };
  const request = `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo" } })}\n`;
  const answer = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [] } });

  test.each([
    ["its events", `process.stdin.on("data", () => process.stdout.write(answer))`],
    ["iteration", `for await (const _ of process.stdin) process.stdout.write(answer)`],
    [
      "read()",
      `process.stdin.on("readable", () => { if (process.stdin.read()) process.stdout.write(Buffer.from(answer)) })`,
    ],
    [
      "lines",
      `(await import("node:readline")).createInterface({ input: process.stdin }).on("line", () => process.stdout.write(answer))`,
    ],
  ])("sees what a program reads by %s", async (_name, program) => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const outcome = await run(
      `const answer = ${JSON.stringify(`${answer}\n`)}; ${program}`,
      request,
      path,
    );
    expect(outcome).toEqual({ exitCode: 0, stdout: `${answer}\n`, stderr: "" });
    expect(ledger(path).lines).toEqual(["echo success - 1"]);
  });

  test("does nothing to a program that is no server, and makes no file", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const program = `process.stdin.pipe(process.stdout); process.exitCode = 4;`;
    expect(await run(program, "some\ntext", path)).toEqual({
      exitCode: 4,
      stdout: "some\ntext",
      stderr: "",
    });
    expect(await Bun.file(path).exists()).toBe(false);
  });

  test("does not count a second time where a server is instrumented by name", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const command = [process.execPath, "--preload", AUTO, PROGRAM, "instrumented"];
    const wire = stdioWire(command, { TOOLMETER_DB: path });
    const client = new Conversation(wire, "2025-11-25");
    await client.begin();
    await client.call(1, "echo");
    await wire.disconnect();
    expect(ledger(path).lines).toEqual(["echo success - 1"]);
  });
});

test("core and mcp bundle no network code", async () => {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "../../src/index.ts"), AUTO],
    target: "bun",
    minify: { syntax: true },
  });
  const NETWORK =
    /\bfetch\(|\bWebSocket\b|\bEventSource\b|XMLHttpRequest|\bBun\.(?:connect|listen|serve|udpSocket|dns|s3|sql|redis)\b|["'](?:node:)?(?:https?|http2|net|tls|dgram|dns|undici)["']/;
  for (const output of built.outputs)
    expect(NETWORK.exec(await output.text())?.[0]).toBeUndefined();
  expect(built.outputs.length).toBeGreaterThan(1);
});
