import {
  type Agent,
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import { admit } from "./admission.ts";
import type { HttpObserver } from "./http-observer.ts";
import { pass, refuse } from "./passage.ts";
import { MAX_HEAD_BYTES, type Target } from "./target.ts";

/** A client's connection. */
interface Client {
  readonly agent: Agent;
  /** Requests that are not answered yet. */
  running: number;
}

/**
 * A server that passes every request on to the target, whatever it is, and answers by a line of its own what cannot be
 * passed on.
 * @param isLocal Whether `Host` has to name this machine.
 */
export function createProxy(target: Target, isLocal: boolean, observer: HttpObserver): Server {
  const clients = new WeakMap<Socket, Client>();
  const server = createServer({
    // How long a request may take, and a connection be idle, is for the client and the target to say.
    headersTimeout: 0,
    keepAliveTimeout: 0,
    requestTimeout: 0,
    maxHeaderSize: MAX_HEAD_BYTES,
    // The runtime would refuse without a word.
    requireHostHeader: false,
  });
  server.maxHeadersCount = 0;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const client = clients.get(request.socket);
    if (client === undefined) {
      request.socket.destroy();
      return;
    }
    client.running += 1;
    response.once("close", () => (client.running -= 1));
    // The target says its own date, or none.
    response.sendDate = false;
    const admission = admit(request, isLocal);
    try {
      if ("path" in admission) {
        const exchange = observer.begin(request, admission.path);
        pass(request, response, admission.path, target, client.agent, exchange);
        return;
      }
      refuse(response, admission.status, admission.reason);
    } catch {
      refuse(response, 400, "Expected headers as HTTP allows them, got other characters.");
    }
    request.resume();
  };
  server.on("connection", (socket: Socket) => {
    const agent = target.agent();
    clients.set(socket, { agent, running: 0 });
    socket.once("close", () => agent.destroy());
  });
  server.on("request", onRequest);
  // What a client expects, such as 100-continue, the target grants or refuses. There is no listener for upgrades: the
  // header stops here, and the target answers in HTTP/1.1.
  server.on("checkContinue", onRequest);
  server.on("checkExpectation", onRequest);
  server.on("connect", (_request, socket) => {
    socket.end(lineOf("400 Bad Request", "Expected a path of this server, got CONNECT."));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const isBetweenRequests = clients.get(socket)?.running === 0;
    if (!socket.writable || !isBetweenRequests) {
      socket.destroy();
      return;
    }
    const isTooLarge = error.code === "HPE_HEADER_OVERFLOW";
    const status = isTooLarge ? "431 Request Header Fields Too Large" : "400 Bad Request";
    socket.end(lineOf(status, `Expected an HTTP/1.1 request, got something else (${error.code}).`));
  });
  return server;
}

/** An answer for a connection that HTTP cannot be spoken on. */
function lineOf(status: string, reason: string): string {
  const text = `toolmeter: ${reason}\n`;
  return [
    `HTTP/1.1 ${status}`,
    "Connection: close",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(text)}`,
    "",
    text,
  ].join("\r\n");
}
