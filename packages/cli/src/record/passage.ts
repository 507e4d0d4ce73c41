import type { Agent, IncomingMessage, ServerResponse } from "node:http";
import { connectionOptions, endToEnd } from "./headers.ts";
import type { ExchangeObserver } from "./http-observer.ts";
import { pump } from "./pump.ts";
import type { Target } from "./target.ts";

/**
 * Passes one request on to the target, and the answer back: bytes as they come, with back-pressure both ways, and the
 * end of either side to the other. The observer sees each part of a body before it is passed on, and changes nothing.
 * @param path Path and query, as the client wrote them.
 * @throws If a header has characters that HTTP does not allow; nothing was sent then.
 */
export function pass(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  target: Target,
  agent: Agent,
  exchange: ExchangeObserver,
): void {
  const headers = endToEnd(request.rawHeaders).filter(([name]) => name.toLowerCase() !== "host");
  if (request.headers["transfer-encoding"] !== undefined) {
    headers.push(["Transfer-Encoding", "chunked"]);
  } else if (request.headers["content-length"] === undefined && mayHaveBody(request.method)) {
    headers.push(["Content-Length", "0"]);
  }
  const upstream = target.request(request.method ?? "GET", path, headers, agent);
  let isAnswered = false;
  upstream.on("information", ({ statusCode, headers: hints }) => {
    if (!isAnswered && request.httpVersion !== "1.0") inform(response, statusCode, hints["link"]);
  });
  upstream.on("response", (answer: IncomingMessage) => {
    isAnswered = true;
    // What still comes of a request that has been answered is unwanted.
    answer.on("end", () => {
      if (!request.complete) upstream.destroy();
    });
    try {
      passAnswer(answer, request, response, target.location.bind(target), path, exchange);
    } catch {
      upstream.destroy();
      exchange.ended("target_failed");
      refuse(response, 502, `${target.origin} answered with headers that HTTP does not allow.`);
    }
  });
  upstream.on("error", (error: NodeJS.ErrnoException) => {
    // What breaks an answer that has begun is seen there; the rest of a request may be unwanted once it is answered.
    if (isAnswered || response.destroyed) return;
    exchange.ended("target_failed");
    // The target closed an idle connection as the request came: the client knows whether to try again.
    if (upstream.reusedSocket && ["ECONNRESET", "EPIPE"].includes(error.code ?? "")) {
      request.socket.destroy();
    } else {
      // A code only: a message might tell what the client must not know.
      refuse(response, 502, `${target.origin} does not answer (${error.code ?? error.name}).`);
    }
  });
  // The client may send on, into the void: it reads our answer in its own time.
  upstream.on("close", () => request.resume());
  response.on("close", () => {
    const isWhole = response.writableFinished;
    exchange.ended(isWhole ? "answered" : "client_left");
    if (!isWhole) upstream.destroy();
  });
  request.on("error", () => upstream.destroy());
  pump(request, upstream, {
    part: (chunk) => exchange.received(chunk),
    end: () => exchange.receivedAll(),
  });
}

/** Answers by a line of our own. */
export function refuse(response: ServerResponse, status: number, reason: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const text = `toolmeter: ${reason}\n`;
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

function passAnswer(
  answer: IncomingMessage,
  request: IncomingMessage,
  response: ServerResponse,
  locate: (location: string, path: string, recorder: string) => string,
  path: string,
  exchange: ExchangeObserver,
): void {
  const { statusCode = 502, statusMessage, rawHeaders } = answer;
  const recorder = `http://${request.headers.host ?? addressOf(request)}`;
  const location = answer.headers.location && locate(answer.headers.location, path, recorder);
  const headers = endToEnd(rawHeaders).map(([name, value]) =>
    name.toLowerCase() === "location" ? [name, location ?? value] : [name, value],
  );
  if (connectionOptions(rawHeaders).includes("close")) response.shouldKeepAlive = false;
  response.writeHead(statusCode, statusMessage, headers.flat());
  exchange.answered(statusCode, location ? { ...answer.headers, location } : answer.headers);
  answer.on("error", () => {
    exchange.ended("target_failed");
    // Where the end of the connection is the end of the body, only a reset tells that the body is not whole.
    if (request.httpVersion === "1.0") request.socket.resetAndDestroy();
    response.destroy();
  });
  pump(answer, response, {
    part: (chunk) => exchange.sent(chunk),
    end: () => exchange.sentAll(),
  });
}

function inform(response: ServerResponse, status: number, link: string | string[] | undefined) {
  if (status === 100) response.writeContinue();
  if (status === 102) response.writeProcessing();
  if (status === 103 && link !== undefined) response.writeEarlyHints({ link });
}

function mayHaveBody(method: string | undefined): boolean {
  return ["PATCH", "POST", "PUT"].includes(method ?? "");
}

function addressOf({ socket }: IncomingMessage): string {
  const { localAddress = "127.0.0.1", localPort } = socket;
  return `${localAddress.includes(":") ? `[${localAddress}]` : localAddress}:${localPort}`;
}
