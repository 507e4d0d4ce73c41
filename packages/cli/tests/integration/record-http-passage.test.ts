/** What passes `record --http`, byte by byte: requests, answers, and where they may not go. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { httpBench } from "../support/recorder.ts";
import { bodyOf, get, linesOf, ok, statusOf, talk } from "../support/wire.ts";

let bench: Awaited<ReturnType<typeof httpBench>>;

beforeEach(async () => {
  bench = await httpBench();
});

afterEach(() => bench[Symbol.asyncDispose]());

const pathsAt = (server: { received(): string }) =>
  [...server.received().matchAll(/^\w+ (\S+) HTTP/gm)].map(([, path]) => path);

describe("a path", () => {
  test.each([
    "/mcp",
    "//other/x",
    "/\\other",
    "/%2f%2fother",
    "/..;/x",
    "/a/../b",
    "/a/%2e%2e/b",
    "/@other/",
    "/http://other/",
    "/?",
    "/a?b=c?d&&e",
    '/[::1]:80/|{}^"<>`',
  ])("%s reaches the target as it is written", async (path) => {
    const { target, recorder } = await bench.recorded(ok("ok"));
    const { text } = await talk(recorder.port, get(path, recorder.port));
    expect([statusOf(text), pathsAt(target)]).toEqual([200, [path]]);
  });

  test.each([
    "http://other/",
    "http://u:p@other/",
    "https://127.0.0.1/",
    "HTTP://OTHER/x",
    "//other/x#fragment",
    "other:80",
    "*",
    "",
    "mcp",
    "?x",
    "/a b",
    "/a\tb",
    "/\u00fc",
    "ftp://other/",
    "file:///etc/passwd",
  ])("%j is refused", async (path) => {
    const { target, recorder } = await bench.recorded(ok("ok"));
    const { text } = await talk(recorder.port, get(path, recorder.port));
    expect([statusOf(text), target.connections()]).toEqual([400, 0]);
    expect(bodyOf(text)).toStartWith("toolmeter: Expected ");
  });

  test("with another server's name before it is refused, whatever the port", async () => {
    const { target, recorder } = await bench.recorded(ok("ok"));
    const { text } = await talk(
      recorder.port,
      get(`http://other:${recorder.port}/`, recorder.port),
    );
    expect([statusOf(text), target.connections()]).toEqual([400, 0]);
  });

  test("may have the recorder's own address before it", async () => {
    const { target, recorder } = await bench.recorded(ok("ok"));
    for (const rest of ["/a?b", "?c", ""]) {
      await talk(recorder.port, get(`http://127.0.0.1:${recorder.port}${rest}`, recorder.port));
    }
    expect(pathsAt(target)).toEqual(["/a?b", "/?c", "/"]);
  });

  test("never leads to another server, whatever it is", async () => {
    const { target, recorder } = await bench.recorded((socket) => void socket.end(ok("ok")));
    const decoy = await bench.serving((socket) => void socket.end(ok("decoy")));
    const other = fc.constantFrom(`127.0.0.1:${decoy.port}`, `localhost:${decoy.port}`);
    const part = fc.oneof(
      other,
      fc.constantFrom("/", "//", "\\", "@", "?", "#", ":", "http://", "https:", "..", ";", "%2f"),
      fc.constantFrom("%5c", "\t", "\u0000", "\u00a0", "u:p@", "*", " ", "\u00fc"),
      fc.string({ maxLength: 4 }),
    );
    const begin = fc.constantFrom("/", "//", "/\\", "http://", "");
    const path = fc
      .tuple(begin, fc.array(part, { maxLength: 6 }))
      .map(([first, parts]) => first + parts.join(""));
    const method = fc.constantFrom("GET", "POST", "HEAD", "OPTIONS", "DELETE", "CONNECT");
    await fc.assert(
      fc.asyncProperty(method, path, other, fc.boolean(), async (word, written, name, isHost) => {
        // Not a line end: what follows would be a header.
        const line = written.replaceAll(/[\r\n]/g, "");
        const host = isHost ? name : `127.0.0.1:${recorder.port}`;
        const head = [`${word} ${line} HTTP/1.1`, `Host: ${host}`, "Authorization: Bearer secret"];
        const { text } = await talk(
          recorder.port,
          [...head, "Connection: close", "Content-Length: 0", "", ""].join("\r\n"),
        );
        // Nothing at all, if CONNECT names nothing: Bun's parser hangs up.
        expect(text).toMatch(/^HTTP\/1\.1 (200|400|403) |^$/);
        expect(text).not.toContain("decoy");
      }),
      { numRuns: 100 * Number(process.env["TOOLMETER_ROUNDS"] ?? 1) },
    );
    expect(decoy.connections()).toBe(0);
    expect(target.connections()).toBeGreaterThan(0);
  });
});

describe("the target's query", () => {
  test.each([
    ["/mcp", "/mcp?api_key=SECRET&tenant=blue"],
    ["/mcp?", "/mcp?api_key=SECRET&tenant=blue"],
    ["/mcp?a=b?c", "/mcp?api_key=SECRET&tenant=blue&a=b?c"],
    ["/other?tenant=red", "/other?api_key=SECRET&tenant=red"],
    ["//x?%74enant=red", "//x?api_key=SECRET&%74enant=red"],
  ])("goes with %s", async (written, sent) => {
    const target = await bench.serving((socket) => void socket.write(ok("ok")));
    const recorder = await bench.recording(`${target.url.href}?api_key=SECRET&tenant=blue`);
    await talk(recorder.port, get(written, recorder.port));
    expect(pathsAt(target)).toEqual([sent]);
  });

  test("and its user are shown to nobody", async () => {
    const target = await bench.serving((socket, head) => {
      const [, path] = head.split(" ");
      socket.end(`HTTP/1.1 307 T\r\nLocation: ${path}&more=1\r\nContent-Length: 0\r\n\r\n`);
    });
    const url = new URL("/mcp?api_key=SECRET", target.url);
    url.username = "someone";
    url.password = "p%ss:w\u00f6rd";
    const recorder = await bench.recording(url);
    const { text: redirect } = await talk(recorder.port, get("/mcp", recorder.port));
    expect(linesOf(redirect)).toContain(`Location: http://127.0.0.1:${recorder.port}/mcp?more=1`);
    expect(target.received()).toContain(
      `Authorization: Basic ${Buffer.from("someone:p%ss:wörd").toString("base64")}`,
    );
    target[Symbol.dispose]();
    const { text: failure } = await talk(recorder.port, get("/mcp", recorder.port));
    expect(statusOf(failure)).toBe(502);
    for (const shown of [redirect, failure, recorder.said()]) {
      expect(shown).not.toMatch(/SECRET|someone|rd@/);
    }
  });

  test("is not in what is said of a URL that cannot be one", async () => {
    for (const url of [
      "htp://someone:word@host/?key=SECRET",
      "host/mcp?key=SECRET",
      "//a:word@b",
    ]) {
      const failure = await recordHttpError(url);
      expect(failure).toContain("Expected a URL");
      expect(failure).not.toMatch(/SECRET|word/);
    }
  });

  test("a client's own authorization is used instead of the target's user", async () => {
    const target = await bench.serving((socket) => void socket.end(ok("ok")));
    const recorder = await bench.recording(`http://a:b@127.0.0.1:${target.port}/mcp`);
    await talk(recorder.port, get("/mcp", recorder.port, "authorization: Bearer mine"));
    expect(target.received().match(/^authorization: .*$/gim)).toEqual([
      "authorization: Bearer mine",
    ]);
  });
});

async function recordHttpError(url: string): Promise<string> {
  const { recordHttp } = await import("../../src/record/http.ts");
  const { memoryTerminal } = await import("../support/toolmeter.ts");
  return recordHttp(url, "127.0.0.1:0", {}, memoryTerminal().terminal).then(
    () => "",
    (error: unknown) => String(error),
  );
}

describe("a Host", () => {
  const request = (version: string, ...lines: readonly string[]) =>
    [`GET /mcp HTTP/${version}`, ...lines, "Connection: close", "", ""].join("\r\n");

  test.each([
    ["1.1", 200, ["Host: 127.0.0.1"]],
    ["1.1", 200, ["hOsT: 127.0.0.1:99"]],
    ["1.1", 200, ["Host: LOCALHOST:1"]],
    ["1.1", 200, ["Host: localhost."]],
    ["1.1", 200, ["Host: [::1]:3001"]],
    ["1.1", 200, ["Host: 127.0.0.1."]],
    ["1.0", 200, []],
    ["1.0", 200, ["Host: localhost"]],
    ["1.1", 403, ["Host: evil.example"]],
    ["1.1", 403, ["Host: 127.0.0.1.evil.example"]],
    ["1.1", 403, ["Host: localhost.evil.example:3001"]],
    ["1.1", 403, ["Host: 192.168.0.1"]],
    ["1.0", 403, ["Host: evil.example"]],
    ["1.1", 400, []],
    ["1.1", 400, ["Host:"]],
    ["1.1", 400, ["Host: 127.0.0.1@evil.com"]],
    ["1.1", 400, ["Host: evil.com@127.0.0.1"]],
    ["1.1", 400, ["Host: localhost", "Host: localhost"]],
    ["1.1", 400, ["Host: localhost", "Host: evil.example"]],
    ["1.1", 400, ["Host: localhost/x"]],
    ["1.1", 400, ["Host: localhost evil"]],
    ["1.1", 400, ["Host: localhost,evil"]],
    ["1.1", 400, ["Host: localhost:99999"]],
    ["1.1", 400, ["Host: localhost:x"]],
    ["1.1", 400, ["Host: http://localhost"]],
    ["1.1", 400, ["Host: %6cocalhost"]],
    ["1.1", 400, ["Host: [::1"]],
    ["1.1", 400, ["Host: \u00ff\u00fe"]],
    ["1.1", 400, ["Host: localhost?evil"]],
    ["1.1", 400, ["Host: localhost\\evil"]],
  ])("HTTP/%s is answered by %d: %j", async (version, status, lines) => {
    const { target, recorder } = await bench.recorded((socket) => void socket.end(ok("ok")));
    const { text } = await talk(recorder.port, request(version, ...lines));
    expect(statusOf(text)).toBe(status);
    expect(target.connections()).toBe(status === 200 ? 1 : 0);
    if (status !== 200) {
      expect(text).toContain("Content-Type: text/plain");
      expect(bodyOf(text)).toMatch(/^toolmeter: Expected .{1,80}\.\n$/);
    }
  });
});

test.each([
  ["GET / HTTP/1.1\nHost: localhost\n\n"],
  ["\u0016\u0003\u0001\u0000\r\n\r\n"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["GET / HTTP/3.0\r\nHost: localhost\r\n\r\n"],
  ["FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["GET / HTTP/1.1\r\nHost: localhost\r\nX : 1\r\n\r\n"],
  ["GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n"],
  [`GET / HTTP/1.1\r\nHost: localhost\r\n${"x: y\r\n".repeat(5_000)}\r\n`],
  ["POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"],
  ["POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +3\r\n\r\nabc"],
  [
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"],
  ["POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
  ["POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"],
  ["POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n"],
  ["CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"],
])("%j is refused in a line of ours", async (request) => {
  const { target, recorder } = await bench.recorded(ok("ok"));
  const { text } = await talk(
    recorder.port,
    request.replace(/\r\n\r\n/, "\r\nConnection: close$&"),
  );
  expect([400, 431]).toContain(statusOf(text));
  expect(bodyOf(text)).toMatch(/^toolmeter: Expected .{1,100}\.\n$/);
  expect(target.received()).toBe("");
});
