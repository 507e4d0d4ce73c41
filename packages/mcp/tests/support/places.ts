/** Every place where a server can be met: what carries the messages, and how it is instrumented there. */
import { join } from "node:path";
import { InMemoryTransport as InMemoryV1 } from "@modelcontextprotocol/sdk/inMemory.js";
import { WebStandardStreamableHTTPServerTransport as HttpV1 } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import {
  InMemoryTransport,
  WebStandardStreamableHTTPServerTransport,
  createMcpHandler,
} from "@modelcontextprotocol/server";
import { instrument, instrumentation } from "../../src/index.ts";
import { SERVERS, type ServerKind, makeServer } from "./servers.ts";
import type { Era, Wire } from "./transcript.ts";
import { httpWire, memoryWire, stdioWire } from "./wires.ts";

/** A running server. */
interface Served {
  /** A new client of it. */
  connect(): Promise<Wire>;
  /** Ends it; with it everything is written. */
  close(): Promise<void>;
}

export interface Place {
  readonly name: string;
  readonly kind: string;
  readonly era: Era;
  /** What the records call the transport. */
  readonly transport: "in_memory" | "stdio" | "streamable_http";
  /** What kind of session its calls have. */
  readonly session: "connection" | "session" | "none";
  /** Whether the client's name reaches the request: a stateless server of 2025 never sees it again. */
  readonly isAnonymous?: boolean;
  /** How a client withdraws a call: by a notification, or, over HTTP, by no more than going away. */
  readonly cancel: "notification" | "disconnect";
  /** How a call ends whose client goes away. */
  readonly disconnect: "cancelled disconnected" | "abandoned -";
  /** Starts the server, with a file to record into or without instrumentation. */
  serve(path: string | undefined): Promise<Served>;
}

const KINDS = Object.keys(SERVERS) as ServerKind[];
const STDIO_PROGRAM = join(import.meta.dir, "../programs/stdio-server.ts");

function inMemory(kind: ServerKind): Place {
  return {
    name: `${kind} in memory`,
    kind,
    era: "2025-11-25",
    transport: "in_memory",
    session: "connection",
    cancel: "notification",
    disconnect: "cancelled disconnected",
    async serve(path) {
      const servers: object[] = [];
      return {
        async connect() {
          const server = makeServer(kind);
          if (path) instrument(server, { path });
          servers.push(server);
          const pair = kind.startsWith("v1") ? InMemoryV1 : InMemoryTransport;
          const [near, far] = pair.createLinkedPair();
          await server.connect(far);
          return memoryWire(near);
        },
        close: async () => {
          for (const server of servers) await instrumentation(server)?.shutdown();
        },
      };
    },
  };
}

function stdio(kind: string, era: Era, how = "instrumented"): Place {
  return {
    name: `${kind} over stdio, ${era}${how === "instrumented" ? "" : `, by its ${how}`}`,
    kind: kind === "v2 serveStdio" ? "v2 McpServer" : kind,
    era,
    transport: "stdio",
    session: "connection",
    cancel: "notification",
    // SDK 1 does not notice the end of its input; the process ends by itself.
    disconnect: how === "auto" || kind.startsWith("v1") ? "abandoned -" : "cancelled disconnected",
    async serve(path) {
      const wires: ReturnType<typeof stdioWire>[] = [];
      const auto = join(import.meta.dir, "../../src/attaching/auto.ts");
      const preload = how === "auto" && path ? ["--preload", auto] : [];
      const mode = path ? (how === "auto" ? "plain" : how) : "plain";
      return {
        async connect() {
          const command = [process.execPath, ...preload, STDIO_PROGRAM, kind, mode];
          const wire = stdioWire(command, { TOOLMETER_DB: path });
          wires.push(wire);
          return wire;
        },
        async close() {
          for (const wire of wires) {
            await wire.disconnect();
            const [stderr, code] = [await wire.done, wire.process.exitCode];
            if (stderr !== "" || code !== 0) throw new Error(`It ended with ${code}: ${stderr}`);
          }
        },
      };
    },
  };
}

/** The usual wiring by hand: a transport a session, or one a request. */
function http(kind: ServerKind, isStateful: boolean): Place {
  return {
    name: `${kind} over ${isStateful ? "stateful" : "stateless"} HTTP`,
    kind,
    era: "2025-11-25",
    transport: "streamable_http",
    session: isStateful ? "session" : "none",
    isAnonymous: !isStateful,
    cancel: isStateful ? "notification" : "disconnect",
    // In a session a client that loses its stream may come back for the answer.
    disconnect: isStateful ? "abandoned -" : "cancelled disconnected",
    async serve(path) {
      const Transport = kind.startsWith("v1") ? HttpV1 : WebStandardStreamableHTTPServerTransport;
      const transports = new Map<string, HttpTransport>();
      const last: { server?: object } = {};
      let count = 0;
      const open = async (sessionId: string | undefined) => {
        const transport = new Transport(
          sessionId === undefined ? {} : { sessionIdGenerator: () => sessionId },
        );
        const server = makeServer(kind);
        if (path) instrument(server, { path });
        last.server = server;
        await server.connect(transport);
        return transport;
      };
      return serveHttp(
        async (request) => {
          if (!isStateful) {
            const transport = await open(undefined);
            request.signal.addEventListener("abort", () => void transport.close());
            return transport.handleRequest(request);
          }
          const known = transports.get(request.headers.get("mcp-session-id") ?? "");
          if (known) return known.handleRequest(request);
          count += 1;
          const sessionId = `session-${count}`;
          const transport = await open(sessionId);
          transports.set(sessionId, transport);
          return transport.handleRequest(request);
        },
        async () => void (await instrumentation(last.server ?? {})?.shutdown()),
      );
    },
  };
}

function mcpHandler(era: Era): Place {
  return {
    name: `v2 createMcpHandler, ${era}`,
    kind: "v2 McpServer",
    era,
    transport: "streamable_http",
    session: "none",
    isAnonymous: era === "2025-11-25",
    cancel: "disconnect",
    disconnect: "cancelled disconnected",
    async serve(path) {
      const make = () => SERVERS["v2 McpServer"]();
      const factory = path ? instrument(make, { path }) : make;
      const handler = createMcpHandler(factory);
      return serveHttp(
        (request) => handler.fetch(request),
        async () => void (await instrumentation(factory)?.shutdown()),
      );
    },
  };
}

interface HttpTransport {
  handleRequest(request: Request): Promise<Response>;
  close(): Promise<void>;
}

async function serveHttp(
  handle: (request: Request) => Promise<Response>,
  close: () => Promise<void>,
): Promise<Served> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch: handle });
  return {
    connect: async () => httpWire(server.url.href),
    close: async () => {
      await server.stop(true);
      await close();
    },
  };
}

export const PLACES: readonly Place[] = [
  ...KINDS.map(inMemory),
  ...KINDS.map((kind) => stdio(kind, "2025-11-25")),
  stdio("v2 serveStdio", "2025-11-25"),
  stdio("v2 serveStdio", "2026-07-28"),
  stdio("v2 serveStdio", "2026-07-28", "wire"),
  stdio("v1 McpServer", "2025-11-25", "auto"),
  stdio("v2 serveStdio", "2026-07-28", "auto"),
  ...KINDS.map((kind) => http(kind, true)),
  ...KINDS.map((kind) => http(kind, false)),
  mcpHandler("2025-11-25"),
  mcpHandler("2026-07-28"),
];
