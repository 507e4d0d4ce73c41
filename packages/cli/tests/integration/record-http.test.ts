/** The recorder before servers at a URL, driven by the official client. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  Client,
  SSEClientTransport,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { recordHttp } from "../../src/record/http.ts";
import { recorderOf as startRecorder } from "../support/recorder.ts";
import { memoryTerminal } from "../support/toolmeter.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const EVERYTHING = Bun.resolveSync(
  "@modelcontextprotocol/server-everything/dist/index.js",
  import.meta.dir,
);

const TELL_PORT = Bun.resolveSync("../programs/tell-port.ts", import.meta.dir);

/** Nothing listens here: the port is reserved. */
const DOWN = new URL("http://127.0.0.1:1/mcp");

const running: { kill: () => void }[] = [];
let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  directory = temporaryDirectory();
});

afterEach(() => directory[Symbol.dispose]());

afterAll(() => {
  for (const child of running) child.kill();
});

/** Starts the published server on a port of the system's choice, and resolves with its URL when it listens. */
async function everything(transport: "sse" | "streamableHttp"): Promise<URL> {
  const child = Bun.spawn([process.execPath, "--preload", TELL_PORT, EVERYTHING, transport], {
    env: { ...process.env, PORT: "0" },
    stdout: "ignore",
    stderr: "pipe",
  });
  running.push(child);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const listen = async () => {
    let said = "";
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      const [, port] = /port=(\d+)\n/.exec(said) ?? [];
      if (port !== undefined) resolve(port);
    }
    reject(new Error(`Expected the server to listen: ${said}`));
  };
  listen().catch(reject);
  return new URL(`http://127.0.0.1:${await promise}/${transport === "sse" ? "sse" : "mcp"}`);
}

const recorderOf = (target: URL) => startRecorder(target, directory.file("a.db"));

const TRANSPORTS = { sse: SSEClientTransport, streamableHttp: StreamableHTTPClientTransport };

/** What a client sees of a server. */
async function drive(url: URL, kind: keyof typeof TRANSPORTS) {
  const transport = new TRANSPORTS[kind](url);
  const client = new Client({ name: "tester", version: "1" });
  await client.connect(transport);
  const seen: unknown[] = [await client.listTools()];
  for (const [name, given] of [
    ["echo", { message: "hi 你好" }],
    ["get-sum", { a: 1, b: "two" }],
    ["get-tiny-image", {}],
    ["no_such_tool", {}],
  ] as const) {
    seen.push(
      await client.callTool({ name, arguments: given }).catch((error: unknown) => String(error)),
    );
  }
  const progress: unknown[] = [];
  seen.push(
    await client.callTool(
      { name: "trigger-long-running-operation", arguments: { duration: 0.2, steps: 2 } },
      { onprogress: (step) => void progress.push(step) },
    ),
  );
  if (transport instanceof StreamableHTTPClientTransport) await transport.terminateSession();
  await client.close();
  return { seen, steps: progress.length > 0 };
}

describe.each(["streamableHttp", "sse"] as const)("over %s", (kind) => {
  test("a client sees what it sees without the recorder, and every call is recorded", async () => {
    const target = await everything(kind);
    const recorder = await recorderOf(target);
    expect(await drive(recorder.url, kind)).toEqual(await drive(target, kind));
    const { calls, sessions } = await recorder.stop();
    expect(calls.map(({ tool_name, status }) => [tool_name, status])).toEqual([
      ["echo", "success"],
      ["get-sum", "rejected"],
      ["get-tiny-image", "success"],
      ["no_such_tool", "rejected"],
      ["trigger-long-running-operation", "success"],
    ]);
    expect(sessions).toMatchObject([
      {
        kind: "session",
        transport: kind === "sse" ? "sse" : "streamable_http",
        clientName: "tester",
        calls: 5,
        endReason: "closed",
      },
    ]);
  }, 20_000);
});

describe("a request", () => {
  const serve = (fetch: (request: Request) => Promise<Response> | Response) => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
    running.push({ kill: () => void server.stop(true) });
    return new URL("/mcp", server.url);
  };
  const post = (
    url: URL,
    body: string,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ) =>
    fetch(url, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...headers },
      ...(signal && { signal }),
    });
  const CALL = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "echo", arguments: {} },
  });

  test("passes with its path, query, headers and body; its answer with status, headers and body", async () => {
    const target = serve(async (request) => {
      const { pathname, search } = new URL(request.url);
      const text = `${request.method} ${pathname}${search} ${request.headers.get("x-mine")} ${await request.text()}`;
      return new Response(text, { status: 418, headers: { "x-yours": "2" } });
    });
    const recorder = await recorderOf(target);
    const response = await post(new URL("/mcp/deeper?a=b", recorder.url), "not JSON ü", {
      "x-mine": "1",
    });
    expect(response.status).toBe(418);
    expect(response.headers.get("x-yours")).toBe("2");
    expect(await response.text()).toBe("POST /mcp/deeper?a=b 1 not JSON ü");
    const redirect = await fetch(new URL("/none", recorder.url), { method: "DELETE" });
    expect(redirect.status).toBe(418);
    expect(await recorder.stop().catch(() => "no file")).toBe("no file");
  });

  test("without a session stands alone", async () => {
    const target = serve(() => Response.json({ jsonrpc: "2.0", id: 1, result: { content: [] } }));
    const recorder = await recorderOf(target);
    await (await post(recorder.url, CALL, { "user-agent": "curl/8" })).text();
    expect((await recorder.stop()).calls).toMatchObject([
      { status: "success", session_id: null, client_name: "curl" },
    ]);
  });

  test("that its client gives up is cancelled", async () => {
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
    const { promise: gone, resolve: leave } = Promise.withResolvers<void>();
    const target = serve((request) => {
      request.signal.addEventListener("abort", () => leave());
      arrive();
      return new Promise<Response>(() => undefined);
    });
    const recorder = await recorderOf(target);
    const client = new AbortController();
    const answer = post(recorder.url, CALL, {}, client.signal);
    await arrived;
    client.abort();
    expect(answer).rejects.toThrow();
    await gone;
    expect((await recorder.stop()).calls).toMatchObject([
      { status: "cancelled", error_type: "disconnected" },
    ]);
  });

  test("whose answer would have come on an event stream that its server breaks off is abandoned", async () => {
    const endpoint = "event: endpoint\ndata: /messages?sessionId=1\n\n";
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ method }) =>
        method === "POST"
          ? new Response(null, { status: 202 })
          : new Response(
              new ReadableStream({ start: (controller) => controller.enqueue(endpoint) }),
              { headers: { "content-type": "text/event-stream" } },
            ),
    });
    const recorder = await recorderOf(server.url);
    const stream = await fetch(new URL("/sse", recorder.url));
    const reader = stream.body?.getReader();
    await reader?.read();
    await (await post(new URL("/messages?sessionId=1", recorder.url), CALL)).text();
    await server.stop(true);
    await reader?.read().catch(() => undefined);
    expect((await recorder.stop()).calls).toMatchObject([
      { status: "abandoned", error_type: "server_ended", transport: "sse" },
    ]);
  });

  test("to a server that is down is answered by a word, with 502", async () => {
    const recorder = await recorderOf(DOWN);
    const response = await post(recorder.url, CALL);
    expect(response.status).toBe(502);
    expect(await response.text()).toContain("does not answer");
    expect((await recorder.stop()).calls).toMatchObject([
      { status: "abandoned", error_type: "server_ended" },
    ]);
  });

  test("under another name than this machine's is refused: a page in a browser may have made it", async () => {
    const target = serve(() => new Response("secret"));
    const recorder = await recorderOf(target);
    const response = await fetch(recorder.url, { headers: { host: "evil.example" } });
    expect(response.status).toBe(403);
    expect(await response.text()).not.toContain("secret");
    await recorder.stop().catch(() => undefined);
  });
});

test("an address that is taken is refused", async () => {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const { terminal } = memoryTerminal();
  const listen = `127.0.0.1:${server.port}`;
  expect(
    recordHttp("http://127.0.0.1:1/mcp", listen, {}, terminal, Promise.resolve()),
  ).rejects.toThrow("Expected to listen");
  await server.stop(true);
});
