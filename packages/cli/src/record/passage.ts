import type { Agent, IncomingMessage, ServerResponse } from "node:http";
import { connectionOptions, endToEnd } from "./headers.ts";
import type { ExchangeObserver } from "./http-observer.ts";
import { pump } from "./pump.ts";
import type { Target } from "./target.ts";

/**
 * Passes one request on to the target and the answer back: bytes as they arrive, with back-pressure in both directions,
 * and the end of either side to the other. The observer sees each part of a body before it is passed on, and changes
 * nothing.
 * @param path Path and query as the client wrote them.
 * @throws If a header has invalid characters; nothing was sent then.
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
    // The rest of a request that has been answered is no longer wanted.
    answer.on("end", () => {
      if (!request.complete) upstream.destroy();
    });
    try {
      passAnswer(answer, request, response, target.location.bind(target), path, exchange);
    } catch {
      upstream.destroy();
      exchange.ended("target_failed");
      refuse(response, 502, `${target.origin} sent invalid HTTP headers.`);
    }
  });
  upstream.on("error", (error: NodeJS.ErrnoException) => {
    // Once the answer has started, its own error handler reports failures, and the rest of the request may be unwanted.
    if (isAnswered || response.destroyed) return;
    exchange.ended("target_failed");
    // The target closed an idle connection when the request arrived. The client decides whether to retry.
    if (upstream.reusedSocket && ["ECONNRESET", "EPIPE"].includes(error.code ?? "")) {
      request.socket.destroy();
    } else {
      // Only the code, because a message might contain secrets.
      refuse(response, 502, `${target.origin} does not answer (${error.code ?? error.name}).`);
    }
  });
  // Discard the rest of the request, so that a client that is still sending can read the answer.
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

/** Answers with one line of text from the recorder itself. */
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
    // In HTTP/1.0 the end of the connection ends the body, so only a reset shows that the body is incomplete.
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
