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
  /** Number of unanswered requests. */
  running: number;
}

/**
 * Creates a server that passes every request on to the target, and itself answers those that it cannot pass on.
 * @param isLocal Whether `Host` must name this machine.
 */
export function createProxy(target: Target, isLocal: boolean, observer: HttpObserver): Server {
  const clients = new WeakMap<Socket, Client>();
  const server = createServer({
    // Client and target decide how long a request may take and how long a connection may be idle.
    headersTimeout: 0,
    keepAliveTimeout: 0,
    requestTimeout: 0,
    maxHeaderSize: MAX_HEAD_BYTES,
    // The runtime would refuse such a request without an explanation.
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
    // Only the target sets a date.
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
      refuse(response, 400, "Expected valid HTTP headers, got invalid characters.");
    }
    request.resume();
  };
  server.on("connection", (socket: Socket) => {
    const agent = target.agent();
    clients.set(socket, { agent, running: 0 });
    socket.once("close", () => agent.destroy());
  });
  server.on("request", onRequest);
  // The target handles expectations such as 100-continue. There is no listener for upgrades: the header is dropped, and
  // the target answers in HTTP/1.1.
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
    socket.end(
      lineOf(status, `Expected a valid HTTP/1.1 request, got a malformed one (${error.code}).`),
    );
  });
  return server;
}

/** Formats a raw answer for a connection without a valid HTTP request. */
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
