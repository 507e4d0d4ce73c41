/** What `instrument` does to its target, and what it leaves alone. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport as InMemoryV1 } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js";
import {
  Client,
  InMemoryTransport,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import {
  McpServer,
  createMcpHandler,
  inputRequired,
  type McpServerFactory,
} from "@modelcontextprotocol/server";
import { TelemetryService, createAnalyticsDb } from "@toolmeter/core";
import { z } from "zod";
import { instrument, instrumentation } from "../../src/index.ts";
import { ledger } from "../support/ledger.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const INFO = { name: "test-server", version: "1.2.3" };

/** A file, and what instrumented it; closed before it is read. */
function place() {
  const directory = temporaryDirectory();
  const path = directory.file("a.db");
  const lines: string[] = [];
  const log = (message: string) => void lines.push(message);
  const logger = { debug: log, info: () => undefined, warn: log, error: log };
  return {
    path,
    lines,
    options: { path, logger },
    async read(target: object) {
      await instrumentation(target)?.shutdown();
      return ledger(path);
    },
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

function serverV1() {
  const server = new McpServerV1(INFO);
  server.registerTool("echo", { inputSchema: { text: z.string() } }, ({ text }) => ({
    content: [{ type: "text", text }],
  }));
  return server;
}

async function connectV1(server: McpServerV1) {
  const [near, far] = InMemoryV1.createLinkedPair();
  const client = new ClientV1({ name: "test-client", version: "9" });
  await server.connect(far);
  await client.connect(near);
  return { client, near, far };
}

const ECHO = { name: "echo", arguments: { text: "hi" } };

describe("instrument()", () => {
  test("returns the object that it was given, and its transport keeps its class", async () => {
    using file = place();
    const server = serverV1();
    expect(instrument(server, file.options)).toBe(server);
    const { client, far } = await connectV1(server);
    await client.callTool(ECHO);
    expect(far.constructor).toBe(InMemoryV1);
    expect(Object.keys(server)).toEqual(Object.keys(serverV1()));
    expect(server.server.transport).toBe(far);
    expect((await file.read(server)).lines).toEqual(["echo success - 1"]);
  });

  test("twice, on the server, what is below it and its transport, is once", async () => {
    using file = place();
    const server = serverV1();
    instrument(server, file.options);
    instrument(server, file.options);
    instrument(server.server, file.options);
    const [near, far] = InMemoryV1.createLinkedPair();
    instrument(far, file.options);
    const client = instrument(new ClientV1({ name: "test-client", version: "9" }), file.options);
    await server.connect(far);
    await client.connect(near);
    await client.callTool(ECHO);
    // Both ends of the pair are tapped, too: a message object counts once.
    expect((await file.read(server)).lines).toEqual(["echo success - 1"]);
  });

  test("knows tools that are registered later, and their new definitions", async () => {
    using file = place();
    const server = instrument(serverV1(), file.options);
    const { client } = await connectV1(server);
    await client.callTool(ECHO);
    await client.listTools();
    await client.callTool(ECHO);
    const late = server.registerTool("late", { description: "one" }, () => ({ content: [] }));
    await client.listTools();
    await client.callTool({ name: "late" });
    late.update({ description: "two" });
    await client.listTools();
    await client.callTool({ name: "late" });
    const { calls } = await file.read(server);
    const [unknown, echo, first, second] = calls.map(({ definitionHash }) => definitionHash);
    expect(unknown).toBeNull();
    expect(new Set([echo, first, second]).size).toBe(3);
    using db = createAnalyticsDb(file.path);
    const stored = db.$client
      .query(
        "select tool_name, tokens > 0 from tool_definitions order by first_seen_at_ms, tool_name desc",
      )
      .values();
    expect(stored).toEqual([
      ["echo", 1],
      ["late", 1],
      ["late", 1],
    ]);
    expect(db.$client.query("select count(*) from session_definitions").values()).toEqual([[3]]);
  });

  test("on a connection that is open already records what follows", async () => {
    using file = place();
    const server = serverV1();
    const { client } = await connectV1(server);
    instrument(server, file.options);
    await client.callTool(ECHO);
    const { calls } = await file.read(server);
    expect(calls).toMatchObject([
      { toolName: "echo", serverName: "test-server", clientName: null },
    ]);
  });

  test("a client records the calls that it makes, with both names", async () => {
    using file = place();
    const server = serverV1();
    const [near, far] = InMemoryV1.createLinkedPair();
    const client = instrument(new ClientV1({ name: "test-client", version: "9" }), file.options);
    await server.connect(far);
    await client.connect(near);
    await client.callTool(ECHO);
    await client.close();
    const { calls, sessions } = await file.read(client);
    const parties = { clientName: "test-client", serverName: "test-server", clientVersion: "9" };
    expect(calls).toMatchObject([{ toolName: "echo", status: "success", ...parties }]);
    expect(sessions).toMatchObject([{ kind: "connection", endReason: "closed", ...parties }]);
    expect(instrumentation(client)?.report()).toMatchObject({ target: "Client", sdk: 1 });
  });

  test("a client's HTTP transport keeps the server's session", async () => {
    using file = place();
    const make: McpServerFactory = () => {
      const server = new McpServer(INFO);
      server.registerTool("echo", { inputSchema: z.object({ text: z.string() }) }, ({ text }) => ({
        content: [{ type: "text", text }],
      }));
      return server;
    };
    const handler = createMcpHandler(make);
    using http = Bun.serve({ port: 0, fetch: (request) => handler.fetch(request) });
    const transport = instrument(new StreamableHTTPClientTransport(http.url), file.options);
    const client = new Client({ name: "test-client", version: "9" });
    await client.connect(transport);
    await client.callTool(ECHO);
    await client.close();
    const { calls, sessions } = await file.read(transport);
    expect(calls).toMatchObject([
      {
        toolName: "echo",
        status: "success",
        transport: "streamable_http",
        clientName: "test-client",
      },
    ]);
    // The server has no sessions: what the calls have in common is the client's connection.
    expect(sessions).toMatchObject([{ kind: "connection" }]);
  });

  test("a question and its continuation are two calls, the second linked with the first", async () => {
    using file = place();
    const make = instrument(
      (() => {
        const server = new McpServer(INFO);
        server.registerTool("ask", {}, async (context) => {
          if (context.mcpReq.inputResponses) return { content: [{ type: "text", text: "thanks" }] };
          return inputRequired({
            inputRequests: {
              name: inputRequired.elicit({
                message: "Who?",
                requestedSchema: { type: "object", properties: { name: { type: "string" } } },
              }),
            },
            requestState: "state-1",
          });
        });
        return server;
      }) satisfies McpServerFactory,
      file.options,
    );
    const handler = createMcpHandler(make);
    using http = Bun.serve({ port: 0, fetch: (request) => handler.fetch(request) });
    const client = new Client(
      { name: "test-client", version: "9" },
      { capabilities: { elicitation: {} }, versionNegotiation: { mode: { pin: "2026-07-28" } } },
    );
    client.setRequestHandler("elicitation/create", () => ({
      action: "accept",
      content: { name: "Ada" },
    }));
    await client.connect(new StreamableHTTPClientTransport(http.url));
    expect(await client.callTool({ name: "ask" })).toMatchObject({ content: [{ text: "thanks" }] });
    await client.close();
    const { calls } = await file.read(make);
    expect(calls).toMatchObject([
      { toolName: "ask", status: "input_required", continuedFrom: null },
      { toolName: "ask", status: "success", continuedFrom: calls[0]?.id ?? "" },
    ]);
  });

  test("stores payloads only if it is told to, without secrets", async () => {
    using file = place();
    const payloads = { capturePayloads: true, redactKeys: ["email"] };
    const server = instrument(new McpServerV1(INFO), { ...file.options, ...payloads });
    server.registerTool("login", { inputSchema: { user: z.any() } }, () => ({
      content: [{ type: "text", text: "welcome" }],
      structuredContent: { session_token: "abc" },
    }));
    const { client } = await connectV1(server);
    const user = { password: "hunter2", email: "a@b.c", name: "Ada" };
    await client.callTool({ name: "login", arguments: { user } });
    const { calls } = await file.read(server);
    expect(calls).toMatchObject([
      {
        arguments: { user: { password: "[redacted]", email: "[redacted]", name: "Ada" } },
        result: {
          content: [{ text: "welcome" }],
          structuredContent: { session_token: "[redacted]" },
        },
      },
    ]);
  });

  test("records into the host's own service, and leaves it running", async () => {
    using db = createAnalyticsDb(":memory:");
    await using telemetry = new TelemetryService(db);
    const server = instrument(serverV1(), { telemetry, serverName: "renamed" });
    const { client } = await connectV1(server);
    await client.callTool(ECHO);
    const handle = instrumentation(server);
    expect(await handle?.shutdown()).toEqual({ outcome: "written", remaining: 0 });
    expect(handle?.report()).toMatchObject({ isRecording: true, calls: { success: 1 } });
    const rows = db.$client.query("select tool_name, server_name from tool_calls").values();
    expect(rows).toEqual([["echo", "renamed"]]);
    await client.callTool(ECHO);
    await telemetry.flush();
    expect(db.$client.query("select count(*) from tool_calls").values()).toEqual([[2]]);
  });

  test("says what it is attached to, in one debug line and in its report", async () => {
    using file = place();
    const make = instrument(() => new McpServer(INFO), file.options);
    const before = instrumentation(make)?.report();
    expect(before).toMatchObject({ target: "factory", sdk: undefined, isRecording: false });
    const [near, far] = InMemoryTransport.createLinkedPair();
    const server = make();
    server.registerTool("echo", {}, () => ({ content: [] }));
    const client = new Client({ name: "test-client", version: "9" });
    await server.connect(far);
    await client.connect(near);
    await client.listTools();
    await client.callTool({ name: "echo" });
    await instrumentation(make)?.flush();
    expect(instrumentation(make)?.report()).toEqual({
      target: "factory",
      sdk: 2,
      transports: ["in_memory"],
      connections: 1,
      tools: 1,
      calls: { success: 1 },
      path: file.path,
      isRecording: true,
      error: undefined,
      unrecorded: 0,
      unreadable: 0,
      stats: expect.objectContaining({ dropped: expect.any(Object) }),
    });
    expect(file.lines.filter((line) => line.startsWith("Attached"))).toEqual([
      "Attached to a factory of SDK 2 over in_memory.",
    ]);
    await file.read(make);
  });

  test.each([
    ["nothing", undefined, "got undefined"],
    ["a text", "server", "got server"],
    ["an object that is none", new Map(), "got an object of Map"],
    ["a class", McpServer, "got the class McpServer"],
    ["an object without a prototype", Object.create(null) as object, "got an object"],
  ])("leaves %s alone, after a clear warning", (_name, target, words) => {
    using file = place();
    expect(instrument(target, file.options)).toBe(target as never);
    expect(file.lines).toHaveLength(1);
    expect(file.lines[0]).toContain(words);
    expect(file.lines[0]).toContain("nothing is recorded");
  });

  test("leaves a target alone that cannot be looked at or changed", () => {
    using file = place();
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error("do not look");
        },
      },
    );
    expect(instrument(hostile, file.options)).toBe(hostile);
    expect(instrument(Object.freeze(serverV1().server), file.options)).toBeDefined();
    expect(file.lines).toHaveLength(2);
  });

  test("a factory keeps what it is called with and what it throws, and may be asynchronous", async () => {
    using file = place();
    const seen: unknown[] = [];
    const make = instrument(async function build(this: unknown, context: { era: string }) {
      seen.push(this, context);
      return new McpServer(INFO);
    }, file.options);
    expect([make.name, make.length]).toEqual(["build", 1]);
    expect(instrument(make, file.options)).toBe(make);
    const self = {};
    const server = await make.call(self, { era: "modern" });
    expect(seen).toEqual([self, { era: "modern" }]);
    expect(instrumentation(server)).toBe(instrumentation(make) as never);
    const failing = instrument(() => {
      throw new RangeError("no server today");
    }, file.options);
    expect(failing).toThrow(new RangeError("no server today"));
    // What is no server is handed on, and counted.
    expect(instrument(() => 7, file.options)()).toBe(7);
    expect(file.lines.join()).toContain("Expected a server, got 7");
  });

  test("works on while the file cannot be opened, and says so once", async () => {
    using file = place();
    await Bun.write(
      file.path,
      "this is no database, and it is long enough to be looked at".repeat(20),
    );
    const server = instrument(serverV1(), file.options);
    const { client } = await connectV1(server);
    expect(await client.callTool(ECHO)).toMatchObject({ content: [{ text: "hi" }] });
    await client.callTool(ECHO);
    expect(file.lines.filter((line) => line.includes("not recorded"))).toHaveLength(1);
    expect(instrumentation(server)?.report()).toMatchObject({
      isRecording: false,
      error: expect.stringContaining(file.path),
      unrecorded: 2,
    });
    expect(readdirSync(dirname(file.path))).toEqual(["a.db"]);
    expect(await instrumentation(server)?.flush()).toEqual({ outcome: "written", remaining: 0 });
    await instrumentation(server)?.shutdown();
    expect(file.lines.at(-1)).toBe("Shut down; 2 tool calls were not recorded.");
  });

  test.each([
    ["begin immediate", ["begin immediate"]],
    ["begin exclusive", ["begin exclusive"]],
    ["locking_mode = exclusive", ["pragma locking_mode = exclusive", "begin immediate", "commit"]],
  ])("records from the first call on while the file is locked by %s", async (_name, statements) => {
    using file = place();
    createAnalyticsDb(file.path).close();
    const holder = new Database(file.path);
    for (const statement of statements) holder.run(statement);
    const server = instrument(serverV1(), file.options);
    const { client } = await connectV1(server);
    for (let call = 0; call < 5; call += 1) await client.callTool(ECHO);
    expect(instrumentation(server)?.report()).toMatchObject({
      isRecording: true,
      error: undefined,
      unrecorded: 0,
      stats: { written: 0, unjournaled: 0 },
    });
    expect(file.lines.filter((line) => line.includes("not recorded"))).toEqual([]);
    holder.close();
    expect((await file.read(server)).calls).toHaveLength(5);
  });

  test("answers before it takes in what a killed process left", async () => {
    using file = place();
    const directory = `${file.path}.journal`;
    mkdirSync(directory);
    const call = { toolName: "left", durationMs: 1 };
    const line = { kind: "tool_call", id: Bun.randomUUIDv7(), recordedAt: 1, call };
    writeFileSync(`${directory}/${Bun.randomUUIDv7()}-1.jsonl`, `${JSON.stringify(line)}\n`);
    const server = instrument(serverV1(), file.options);
    const { client } = await connectV1(server);
    await client.callTool(ECHO);
    const recovered = () => instrumentation(server)?.report().stats?.recovered;
    expect(recovered()).toBe(0);
    while (recovered() === 0) await Bun.sleep(20);
    expect(recovered()).toBe(1);
    expect((await file.read(server)).calls).toHaveLength(2);
  });

  test("records nothing and makes no file while recording is switched off", async () => {
    using file = place();
    const server = instrument(serverV1(), { ...file.options, enabled: false });
    const { client } = await connectV1(server);
    await client.callTool(ECHO);
    expect(instrumentation(server)?.report()).toMatchObject({ isRecording: false, calls: {} });
    expect(await Bun.file(file.path).exists()).toBe(false);
  });

  test("opens its file again after a shutdown", async () => {
    using file = place();
    const server = instrument(serverV1(), file.options);
    const { client } = await connectV1(server);
    await client.callTool(ECHO);
    await instrumentation(server)?.shutdown();
    await client.callTool(ECHO);
    expect((await file.read(server)).lines).toEqual(["echo success - 1", "echo success - 2"]);
  });
});

describe("a Conversation", () => {
  function observer() {
    const db = createAnalyticsDb(":memory:");
    const telemetry = new TelemetryService(db);
    const server = instrument(serverV1(), { telemetry });
    const handle = instrumentation(server);
    if (!handle) throw new Error("Expected a handle");
    return {
      handle,
      connection: handle.connect({ transport: "stdio" }),
      lines: async () => {
        await telemetry.flush();
        return db.$client
          .query<{ line: string }, []>(
            "select tool_name || ' ' || status || ' ' || coalesce(error_type, '-') as line from tool_calls order by sequence",
          )
          .all()
          .map(({ line }) => line);
      },
    };
  }
  const call = (id: unknown, name: unknown = "echo") => ({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: { name },
  });

  test("tells requests of both directions and batches apart", async () => {
    const { connection, lines } = observer();
    connection.observe("received", [call(1, "a"), call(2, "b")]);
    connection.observe("sent", call(1, "theirs"));
    connection.observe("sent", [
      { jsonrpc: "2.0", id: 2, result: { content: [] } },
      { jsonrpc: "2.0", id: 1, error: { code: -32_603, message: "no" } },
    ]);
    connection.observe("received", { jsonrpc: "2.0", id: 1, result: { content: [] } });
    expect(await lines()).toEqual(["b success -", "a error -32603", "theirs success -"]);
  });

  test("settles what is in flight when it closes, and ignores what comes for it later", async () => {
    const { connection, lines } = observer();
    connection.observe("received", call("x"));
    connection.closed();
    connection.observe("sent", { jsonrpc: "2.0", id: "x", result: { content: [] } });
    connection.observe("received", {
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: "x" },
    });
    expect(await lines()).toEqual(["echo cancelled disconnected"]);
  });

  test("gives up a request whose id comes again", async () => {
    const { connection, lines } = observer();
    connection.observe("received", call(1, "first"));
    connection.observe("received", call(1, "second"));
    connection.observe("sent", { jsonrpc: "2.0", id: 1, result: { content: [] } });
    expect(await lines()).toEqual(["first cancelled -", "second success -"]);
  });

  test("records the outcome of what no JSON can hold", async () => {
    const { connection, lines, handle } = observer();
    const circular: Record<string, unknown> = { content: [] };
    circular["self"] = circular;
    connection.observe("received", call(1, "circular"));
    connection.observe("sent", { jsonrpc: "2.0", id: 1, result: circular });
    connection.observe("received", {
      jsonrpc: "2.0",
      id: 2,
      method: "tools/call",
      params: { name: "big", arguments: { n: 1n } },
    });
    connection.observe("sent", { jsonrpc: "2.0", id: 2, result: { content: [] } });
    expect(await lines()).toEqual(["circular success -", "big success -"]);
    // A bigint is read as its decimal text.
    expect(handle.report().unreadable).toBe(1);
  });

  test("passes over what is no message", async () => {
    const { connection, lines, handle } = observer();
    for (const nonsense of [
      null,
      7,
      "x",
      [null, []],
      {},
      { method: 7 },
      { id: {}, method: "tools/call" },
      { id: 1, method: "tools/call", params: [] },
      { id: 2, method: "tools/call", params: { name: { toString: 1 }, arguments: 7 } },
      { id: 1, result: null },
      { id: 2, error: 7 },
      { id: 3, result: {} },
      { method: "notifications/cancelled", params: { requestId: {} } },
      { id: 4, method: "tools/list" },
      { id: 4, result: { tools: [null, {}, { name: 7 }, { name: "x", inputSchema: 7 }] } },
    ]) {
      connection.observe("received", nonsense);
      connection.observe("sent", nonsense);
    }
    connection.closed();
    expect(handle.report().unreadable).toBe(0);
    expect(new Set(await lines())).toEqual(new Set(["(none) rejected malformed_request"]));
  });
});
