/** HTTP as bytes: servers and clients that say exactly what a test wants. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Of what a server receives, in bytes. */
const KEPT = 100_000;

export interface RawServer extends Disposable {
  readonly port: number;
  readonly url: URL;
  /** Connections so far. */
  connections(): number;
  /** The first bytes received, as latin1. */
  received(): string;
}

/** Resolves with a server that gives each request head, once it is whole, to `answer`. */
export async function rawServer(
  answer: (socket: Socket, head: string) => void = () => undefined,
): Promise<RawServer> {
  let connections = 0;
  let received = "";
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    let head = "";
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      const text = chunk.toString("latin1");
      if (received.length < KEPT) received += text;
      const whole = head + text;
      const isWhole = whole.includes("\r\n\r\n");
      // Bodies go by here, too.
      head = isWhole ? "" : whole.slice(-KEPT);
      if (isWhole) answer(socket, whole);
    });
  });
  const port = await portOf(server);
  return {
    port,
    url: new URL(`http://127.0.0.1:${port}/mcp`),
    connections: () => connections,
    received: () => received,
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function portOf(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

/** Sends bytes, and resolves with all that came back when the connection ends; `error` is how, if it was not in order. */
export function talk(port: number, ...parts: readonly string[]) {
  return new Promise<{ readonly text: string; readonly error: string | undefined }>((resolve) => {
    let text = "";
    let error: string | undefined;
    const socket = connect(port, "127.0.0.1", () => {
      for (const part of parts) socket.write(part, "latin1");
    });
    socket.on("data", (chunk) => (text += chunk.toString("latin1")));
    socket.on("error", (failure: NodeJS.ErrnoException) => (error = failure.code));
    socket.on("close", () => resolve({ text, error }));
  });
}

/** A request that closes its connection. */
export function get(path: string, port: number, ...headers: readonly string[]): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    "Connection: close",
    ...headers,
    "",
    "",
  ].join("\r\n");
}

/** An answer whose length is told. */
export function ok(body: string, ...headers: readonly string[]): string {
  return ["HTTP/1.1 200 OK", `Content-Length: ${body.length}`, ...headers, "", body].join("\r\n");
}

export const statusOf = (answer: string) => Number(answer.split(" ")[1]);
export const bodyOf = (answer: string) => answer.slice(answer.indexOf("\r\n\r\n") + 4);
/** The start line and the headers. */
export const linesOf = (message: string) =>
  message.slice(0, message.indexOf("\r\n\r\n")).split("\r\n");
