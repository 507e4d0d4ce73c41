/** `record --http` between a client and a target that behave as they like: sizes, speeds, endings. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { request as httpRequest } from "node:http";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { httpBench } from "../support/recorder.ts";
import { bodyOf, get, linesOf, ok, statusOf, talk } from "../support/wire.ts";
import { until } from "@toolmeter/testing/until";

let bench: Awaited<ReturnType<typeof httpBench>>;

beforeEach(async () => {
  bench = await httpBench();
});

afterEach(() => bench[Symbol.asyncDispose]());

const CALL = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "echo", arguments: {} },
});
const ANSWER = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [] } });

const ROUNDS = Number(process.env["TOOLMETER_ROUNDS"] ?? 1);

function post(port: number, body: string, ...headers: readonly string[]): string {
  return [
    "POST /mcp HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    "Connection: close",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
    "",
    body,
  ].join("\r\n");
}

/** Resolves when a number does not grow any more: what is then on its way fills the buffers of the sockets. */
async function settled(read: () => number): Promise<void> {
  for (let before = -1; before !== read(); await Bun.sleep(50)) before = read();
}

describe("headers", () => {
  test("of a connection stop here, and those that Connection names, both ways", async () => {
    const hops = [
      "Connection: close, X-Hop, content-length, Host",
      "Keep-Alive: timeout=9",
      "Proxy-Connection: keep-alive",
      "TE: trailers",
      "X-Hop: 1",
      "X-Stays: \u00e9",
    ];
    const { target, recorder } = await bench.recorded(
      ok("answer", ...hops, "Upgrade: h2c", "Proxy-Authenticate: Basic"),
    );
    const { text } = await talk(
      recorder.port,
      [
        "POST /mcp HTTP/1.1",
        `Host: 127.0.0.1:${recorder.port}`,
        ...hops,
        "Proxy-Authorization: Basic YTpi",
        "Content-Length: 4",
        "",
        "body",
      ].join("\r\n"),
    );
    expect(linesOf(target.received())).toEqual([
      "POST /mcp HTTP/1.1",
      `Host: 127.0.0.1:${target.port}`,
      "X-Stays: \u00e9",
      "Content-Length: 4",
      "Connection: keep-alive",
    ]);
    expect(bodyOf(target.received())).toBe("body");
    expect(linesOf(text)).toEqual([
      "HTTP/1.1 200 OK",
      "Content-Length: 6",
      "X-Stays: \u00e9",
      "Connection: close",
    ]);
    expect(bodyOf(text)).toBe("answer");
  });

  test("keep their spelling, order and number", async () => {
    const lines = ["X-One: 1", "Set-Cookie: a=1; Path=/", "sEt: 2", "Set-Cookie: b=2"];
    const { target, recorder } = await bench.recorded(ok("", ...lines));
    const asked = ["x-Odd: 1", "Cookie: a=1", "X-odd: 2", "Accept-Encoding: br;q=0.5"];
    const { text } = await talk(recorder.port, get("/mcp", recorder.port, ...asked));
    expect(linesOf(target.received()).slice(2, -1)).toEqual(asked);
    expect(linesOf(text).filter((line) => !/^(HTTP|Conn|Content-L)/.test(line))).toEqual([
      "X-One: 1",
      "Set-Cookie: a=1; Path=/",
      "Set-Cookie: b=2",
      "sEt: 2",
    ]);
  });

  test.each([
    ["http://127.0.0.1:PORT/mcp/", "http://127.0.0.1:OWN/mcp/"],
    ["http://localhost:PORT/a?b#c", "http://127.0.0.1:OWN/a?b#c"],
    ["//127.0.0.1:PORT//x", "http://127.0.0.1:OWN//x"],
    ["http://u:p@127.0.0.1:PORT/", "http://127.0.0.1:OWN/"],
    ["/mcp/", "/mcp/"],
    ["mcp/", "mcp/"],
    ["https://127.0.0.1:PORT/", "https://127.0.0.1:PORT/"],
    [
      "http://elsewhere.example/?next=http://127.0.0.1:PORT",
      "http://elsewhere.example/?next=http://127.0.0.1:PORT",
    ],
    ["http://[broken", "http://[broken"],
  ])("Location %s becomes %s", async (given, expected) => {
    const { recorder } = await bench.recorded((socket, head) => {
      const location = given.replace("PORT", String(socket.localPort));
      socket.end(
        `HTTP/1.1 307 T\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n${head.slice(0, 0)}`,
      );
    });
    const { text } = await talk(recorder.port, get("/mcp", recorder.port));
    const location = linesOf(text).find((line) => line.startsWith("Location: "));
    expect(location?.replaceAll(/:\d{4,}/g, ":N")).toBe(
      `Location: ${expected.replaceAll(/PORT|OWN/g, "N")}`,
    );
    expect(location?.includes(`:${recorder.port}`)).toBe(expected.includes("OWN"));
  });
});

describe("an answer", () => {
  test.each([
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "Content-Length: 10"],
    ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nETag: x\r\n\r\n", "ETag: x"],
    ["DELETE", "HTTP/1.1 204 Gone\r\n\r\n", "HTTP/1.1 204 Gone"],
    ["POST", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "Content-Length: 0"],
  ])("to %s without a body: %j", async (method, answer, line) => {
    const { recorder } = await bench.recorded(answer);
    const { text } = await talk(recorder.port, get("/mcp", recorder.port).replace("GET", method));
    expect(linesOf(text)).toContain(line);
    expect(bodyOf(text)).toBe("");
  });

  test("of unknown length ends with its connection, and with trailers if it has some", async () => {
    const { recorder } = await bench.recorded((socket, head) =>
      head.startsWith("GET /chunks")
        ? void socket.write(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n",
          )
        : void socket.end("HTTP/1.1 200 OK\r\n\r\nok"),
    );
    const { text } = await talk(recorder.port, get("/until-closed", recorder.port));
    expect(bodyOf(text)).toBe("2\r\nok\r\n0\r\n\r\n");
    const { text: chunks } = await talk(recorder.port, get("/chunks", recorder.port));
    expect(bodyOf(chunks)).toBe("2\r\nok\r\n0\r\nX-T: 1\r\n\r\n");
    const { text: old } = await talk(recorder.port, "GET /chunks HTTP/1.0\r\n\r\n");
    expect(bodyOf(old)).toBe("ok");
  });

  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
    ["unheard-of", (bytes: Uint8Array) => Buffer.from(bytes)],
  ] as const)("in %s passes as it is, and is read if it can be", async (encoding, compress) => {
    const bodies = {
      "application/json; charset=utf-8": ANSWER,
      "Text/Event-Stream;charset=utf-8": `event: message\ndata: ${ANSWER}\n\n`,
    };
    const [types, plain] = [Object.keys(bodies), Object.values(bodies)];
    const compressed = plain.map((text) => compress(Buffer.from(text)).toString("latin1"));
    const left = compressed.entries();
    const { recorder } = await bench.recorded((socket) => {
      const [index, body] = left.next().value ?? [0, ""];
      const type = types[index] ?? "";
      socket.write(ok(body, `Content-Encoding: ${encoding}`, `Content-Type: ${type}`), "latin1");
    });
    for (const body of compressed) {
      const { text } = await talk(recorder.port, post(recorder.port, CALL));
      expect(bodyOf(text)).toBe(body);
    }
    const isRead = encoding !== "unheard-of";
    const status = isRead ? "success" : "cancelled";
    expect((await recorder.stop()).calls).toMatchObject([{ status }, { status }]);
  });

  test("in JSON is the end of its call", async () => {
    const { recorder } = await bench.recorded((socket) => {
      socket.write(ok(ANSWER, "Content-Type: application/json"));
    });
    await talk(recorder.port, post(recorder.port, CALL));
    expect((await recorder.stop()).calls).toMatchObject([{ status: "success" }]);
  });
});

test("a redirected call is one call, recorded by its answer", async () => {
  const { target, recorder } = await bench.recorded((socket, head) => {
    if (head.includes(" /mcp/?key=SECRET ")) socket.end(ok(ANSWER));
    else socket.end("HTTP/1.1 307 T\r\nLocation: /mcp/?key=SECRET\r\nContent-Length: 0\r\n\r\n");
  });
  const keyed = await bench.recording(`${target.url.href}?key=SECRET`);
  for (const { port } of [keyed, recorder]) {
    const url = `http://127.0.0.1:${port}/mcp`;
    expect(await (await fetch(url, { method: "POST", body: CALL })).json()).toEqual(
      JSON.parse(ANSWER),
    );
  }
  await keyed.end();
  expect((await recorder.stop()).calls.map(({ status }) => status)).toEqual(["success", "success"]);
});

describe("a body", () => {
  const MEGABYTES = 48 * ROUNDS;
  const chunk = Buffer.alloc(1_048_576, "x");

  test("of any size comes down whole, and no faster than it is read", async () => {
    let written = 0;
    const { recorder } = await bench.recorded((socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${MEGABYTES * chunk.length}\r\n\r\n`,
      );
      const more = () => {
        while (written < MEGABYTES) {
          written += 1;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on("drain", more);
      more();
    });
    const socket = connect(recorder.port, "127.0.0.1");
    let read = 0;
    socket.on("data", (part) => (read += part.length)).pause();
    socket.write(get("/mcp", recorder.port));
    await until(() => written > 0);
    await settled(() => written);
    expect(written).toBeLessThan(MEGABYTES / 2);
    socket.resume();
    await until(() => read >= MEGABYTES * chunk.length);
    await until(() => socket.closed);
    expect(written).toBe(MEGABYTES);
  }, 60_000);

  test("of any size goes up whole, and no faster than it is taken", async () => {
    let taken = 0;
    let target: Socket | undefined;
    const { recorder } = await bench.recorded((socket) => {
      socket.on("data", (part) => (taken += part.length));
      target ??= socket.pause();
    });
    const request = httpRequest({
      port: recorder.port,
      host: "127.0.0.1",
      method: "POST",
      path: "/mcp",
      headers: { "transfer-encoding": "chunked" },
    });
    request.on("error", () => undefined);
    let written = 0;
    const more = () => {
      while (written < MEGABYTES) {
        written += 1;
        if (!request.write(chunk)) return;
      }
      request.end();
    };
    request.on("drain", more);
    more();
    await until(() => target !== undefined);
    await settled(() => written);
    expect(written).toBeLessThan(MEGABYTES / 2);
    target?.resume();
    await until(() => taken >= (MEGABYTES - 1) * chunk.length);
    request.destroy();
  }, 60_000);

  test.each(["GET", "DELETE", "POST"])("of %s in chunks stays in chunks", async (method) => {
    const { target, recorder } = await bench.recorded((socket, head) => {
      if (head.endsWith("0\r\n\r\n")) socket.end(ok("ok"));
    });
    const head = `${method} /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
    const chunks = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    await talk(recorder.port, head + chunks);
    expect(linesOf(target.received())).toContain("Transfer-Encoding: chunked");
    expect(bodyOf(target.received())).toBe("3\r\nabc\r\n0\r\n\r\n");
  });

  test("is passed on part by part, in both directions", async () => {
    const { target, recorder } = await bench.recorded((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    });
    const socket = connect(recorder.port, "127.0.0.1");
    let text = "";
    socket.on("data", (part) => (text += part.toString()));
    socket.write(
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    );
    await until(() => target.received().includes("abc") && text.includes("one"));
    socket.write("3\r\ndef\r\n");
    await until(() => target.received().includes("def"));
    socket.destroy();
  });

  test("of a request that is refused early does not keep the client from the refusal", async () => {
    const { recorder } = await bench.recorded((socket, head) => {
      if (head.includes("GET /next")) socket.end(ok("next"));
      else socket.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
    });
    const { text } = await talk(
      recorder.port,
      post(recorder.port, "x".repeat(10_000_000)).replace("Connection: close\r\n", ""),
      get("/next", recorder.port),
    );
    expect(text).toMatch(/^HTTP\/1\.1 413 [^]*HTTP\/1\.1 200 [^]*next$/);
  });
});

describe("an expectation", () => {
  const head = (port: number) =>
    `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n`;

  test("is granted by the target", async () => {
    const { recorder } = await bench.recorded((socket, text) => {
      if (text.includes("Expect: 100-continue")) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
      socket.once("data", (body) => void socket.end(ok(`got ${body.toString()}`)));
    });
    const socket = connect(recorder.port, "127.0.0.1");
    let text = "";
    socket.on("data", (part) => (text += part.toString()));
    socket.write(head(recorder.port));
    await until(() => text.includes("100 Continue"));
    socket.write("abc");
    await until(() => socket.closed);
    expect(text).toEndWith("got abc");
  });

  test("is refused by the target", async () => {
    const { recorder } = await bench.recorded("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
    const socket = connect(recorder.port, "127.0.0.1");
    let text = "";
    socket.on("data", (part) => (text += part.toString()));
    socket.write(head(recorder.port));
    await until(() => text.includes("\r\n\r\n"));
    expect(statusOf(text)).toBe(417);
    socket.destroy();
  });
});

test.each(["websocket", "h2c"])(
  "an upgrade to %s stops here: the target answers in HTTP/1.1",
  async (name) => {
    const { target, recorder } = await bench.recorded(ok("plain"));
    const { text } = await talk(
      recorder.port,
      `GET /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: ${name}\r\n\r\n`,
    );
    expect(bodyOf(text)).toBe("plain");
    expect(target.received()).not.toContain("Upgrade");
  },
);

describe("when the target breaks off", () => {
  test.each([
    ["inside a length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"],
    ["between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"],
    [
      "in nonsense",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n",
    ],
  ])("%s, the client's body is not whole either", async (_, answer) => {
    const { recorder } = await bench.recorded((socket) => {
      socket.write(answer);
      setTimeout(() => socket.destroy(), 20);
    });
    const body = await fetch(recorder.url)
      .then((response) => response.text())
      .catch(() => "broken");
    expect(body).toBe("broken");
    if (!answer.includes("chunked")) return;
    const old = await talk(recorder.port, "GET /mcp HTTP/1.0\r\n\r\n");
    expect(old.error).toBe("ECONNRESET");
  });

  test.each([
    ["without an answer", (socket: Socket) => void socket.destroy()],
    ["with a reset", (socket: Socket) => void socket.resetAndDestroy()],
    ["with something else", (socket: Socket) => void socket.end("SSH-2.0-OpenSSH\r\n")],
    [
      "with headers that cannot be",
      (socket: Socket) => void socket.end("HTTP/1.1 200 OK\r\nX: \u0001\r\n\r\n"),
    ],
  ])("%s, it is a 502", async (_, answer) => {
    const { recorder } = await bench.recorded(answer);
    const { text } = await talk(recorder.port, post(recorder.port, CALL));
    expect(statusOf(text)).toBe(502);
    expect(bodyOf(text)).toMatch(/^toolmeter: http:\/\/127\.0\.0\.1:\d+ .{1,100}\.\n$/);
  });

  test.each([
    ["a name that nothing has", "http://nothing.invalid/mcp?key=SECRET", /E(NOTFOUND|AI_AGAIN)/],
    ["TLS that is none", "https://127.0.0.1:PORT/mcp?key=SECRET", /\(\w+\)/],
  ])("%s is a 502 that tells no secret", async (_, url, code) => {
    const server = createServer((socket) => void socket.end("no TLS")).listen(0, "127.0.0.1");
    bench.stack.defer(() => void server.close());
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const recorder = await bench.recording(url.replace("PORT", String(port)));
    const { text } = await talk(recorder.port, get("/mcp", recorder.port));
    expect(statusOf(text)).toBe(502);
    expect(bodyOf(text)).toMatch(code);
    expect(text).not.toContain("SECRET");
  });

  test("between two requests, the next one has a connection of its own", async () => {
    const { target, recorder } = await bench.recorded((socket) => {
      socket.write(ok("ok"));
      setTimeout(() => socket.end(), 5);
    });
    const socket = connect(recorder.port, "127.0.0.1");
    let text = "";
    socket.on("data", (part) => (text += part.toString()));
    for (let round = 1; round <= 3; round += 1) {
      socket.write("GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await until(() => text.split("HTTP/1.1 200").length > round);
      await Bun.sleep(20);
    }
    expect(target.connections()).toBe(3);
    socket.destroy();
  });

  test("as the next request comes, the client sees what it would see without the recorder", async () => {
    let requests = 0;
    const { target, recorder } = await bench.recorded((socket) => {
      requests += 1;
      if (requests === 1) socket.write(ok("ok"));
      else socket.destroy();
    });
    const socket = connect(recorder.port, "127.0.0.1");
    let text = "";
    socket.on("data", (part) => (text += part.toString()));
    socket.on("error", () => undefined);
    socket.write("GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await until(() => text.endsWith("ok"));
    socket.write(post(recorder.port, CALL));
    await until(() => socket.closed);
    // Not asked twice: the target may have begun to work.
    expect([requests, target.connections(), text.split("HTTP/1.1").length - 1]).toEqual([2, 1, 1]);
  });
});

describe("when the client leaves", () => {
  test.each([
    ["before the answer", ""],
    ["amid a stream", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n"],
  ])("%s, the target learns it", async (_, answer) => {
    let isGone = false;
    const { target, recorder } = await bench.recorded((socket) => {
      socket.write(answer);
      socket.on("close", () => (isGone = true));
    });
    const socket = connect(recorder.port, "127.0.0.1");
    let text = "";
    socket.on("data", (part) => (text += part.toString()));
    socket.write(post(recorder.port, CALL));
    await until(
      () => target.received().includes(CALL) && (answer === "" || text.includes("hello")),
    );
    expect(isGone).toBe(false);
    socket.destroy();
    await until(() => isGone);
  });

  test("amid its own body, the target does not get a whole one", async () => {
    let isGone = false;
    const { target, recorder } = await bench.recorded((socket) => {
      socket.on("close", () => (isGone = true));
    });
    const socket = connect(recorder.port, "127.0.0.1");
    socket.write(
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    );
    await until(() => target.received().includes("abc"));
    socket.destroy();
    await until(() => isGone);
    expect(target.received()).not.toContain("\r\n0\r\n");
  });
});

test("requests that are sent without waiting are answered in order", async () => {
  const { target, recorder } = await bench.recorded((socket, head) => {
    const [, path = ""] = head.split(" ");
    setTimeout(() => socket.write(ok(path)), path === "/1" ? 20 : 0);
  });
  const { text } = await talk(
    recorder.port,
    ...["/1", "/2"].map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
    get("/3", recorder.port),
  );
  expect(text.match(/^\/\d/gm)).toEqual(["/1", "/2", "/3"]);
  expect(target.connections()).toBe(1);
});

// Bun's own HTTP client stops at 256 connections.
const STREAMS = ROUNDS > 1 ? 1_000 : 300;

test(`with ${STREAMS} open streams a call is answered`, async () => {
  const { target, recorder } = await bench.recorded((socket, head) => {
    if (head.startsWith("POST")) socket.end(ok(ANSWER));
    else socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n");
  });
  let open = 0;
  const clients = Array.from({ length: STREAMS }, () => {
    const socket = connect(recorder.port, "127.0.0.1", () => {
      socket.write(`GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
    });
    socket.once("data", () => (open += 1));
    socket.on("error", () => undefined);
    return socket;
  });
  await until(() => open === STREAMS);
  const { text } = await talk(recorder.port, post(recorder.port, CALL));
  expect(bodyOf(text)).toBe(ANSWER);
  expect(target.connections()).toBe(STREAMS + 1);
  for (const client of clients) client.destroy();
}, 30_000);

describe("a proxy that the environment names", () => {
  const NAMES = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap((name) => [
    name,
    name.toLowerCase(),
  ]);
  const before = Object.fromEntries(NAMES.map((name) => [name, process.env[name]]));
  afterEach(() => {
    for (const name of NAMES) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });

  test("is asked for a tunnel to an https target on another machine, and for nothing else", async () => {
    const proxy = await bench.serving((socket) => void socket.end("HTTP/1.1 403 No\r\n\r\n"));
    for (const name of NAMES) delete process.env[name];
    for (const name of ["HTTP_PROXY", "HTTPS_PROXY"]) {
      process.env[name] = `http://127.0.0.1:${proxy.port}`;
    }
    const { recorder: local } = await bench.recorded((socket) => void socket.end(ok("direct")));
    expect(bodyOf((await talk(local.port, get("//x", local.port))).text)).toBe("direct");
    const plain = await bench.recording("http://nothing.invalid/mcp");
    expect(statusOf((await talk(plain.port, get("//x", plain.port))).text)).toBe(502);
    expect(proxy.connections()).toBe(0);
    const secure = await bench.recording("https://nothing.invalid/mcp?key=SECRET");
    const { text } = await talk(
      secure.port,
      get("//x", secure.port, "Authorization: Bearer SECRET"),
    );
    expect(statusOf(text)).toBe(502);
    expect(proxy.received()).toStartWith("CONNECT nothing.invalid:443 HTTP/1.1");
    expect(proxy.received() + text).not.toContain("SECRET");
  });
});
