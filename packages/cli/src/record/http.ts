import { Instrumentation } from "@toolmeter/mcp";
import type { Server } from "bun";
import { CommandError, EXIT, UsageError } from "../errors.ts";
import type { Terminal } from "../terminal.ts";
import { Exchanges } from "./exchanges.ts";
import { parseMessage } from "./message.ts";
import type { RecordOptions } from "./options.ts";
import { EventReader } from "./events.ts";

/** Headers that belong to one connection (RFC 9110 §7.6.1), or that `fetch` sets itself. */
const OWN_HEADERS: readonly string[] = [
  "accept-encoding",
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "te",
  "transfer-encoding",
  "upgrade",
];

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]", "::1"]);

/** An answer that is longer than this, in bytes, is passed on and not looked at. */
const MAX_BODY_BYTES = 64 * 1_048_576;

/**
 * Passes requests on to a server at a URL, and records the calls among them: streamable HTTP, and the older HTTP with
 * server-sent events. Runs until it is told to stop.
 * @param listen `host:port`; port 0 is any that is free. Only this machine reaches the default, 127.0.0.1.
 */
export async function recordHttp(
  url: string,
  listen: string,
  options: RecordOptions,
  terminal: Terminal,
  stopped?: Promise<void>,
): Promise<number> {
  const target = parseUrl(url);
  const instrumentation = new Instrumentation("process", options);
  const { hostname, port } = parseAddress(listen);
  const proxy = new ReverseProxy(target, hostname, instrumentation);
  const server = serve(hostname, port, (request) => proxy.handle(request));
  terminal.err(
    `Recording ${target.href} at http://${server.hostname}:${server.port}${target.pathname}. Stop with Ctrl-C.`,
  );
  await (stopped ?? interruption());
  await server.stop(true);
  proxy.close();
  await instrumentation.shutdown();
  return EXIT.interrupted;
}

class ReverseProxy {
  readonly #target: URL;
  readonly #hostname: string;
  readonly #instrumentation: Instrumentation;
  readonly #exchanges: Exchanges;

  constructor(target: URL, hostname: string, instrumentation: Instrumentation) {
    this.#target = target;
    this.#hostname = hostname;
    this.#instrumentation = instrumentation;
    this.#exchanges = new Exchanges(instrumentation);
  }

  close(): void {
    this.#exchanges.close();
  }

  async handle(request: Request): Promise<Response> {
    const { hostname } = new URL(request.url);
    // A page in a browser may reach us under a name of its own (DNS rebinding); the server cannot see it any more.
    if (LOOPBACK.has(this.#hostname) && !LOOPBACK.has(hostname)) {
      return new Response(`toolmeter: Expected this machine's name, got ${hostname}.\n`, {
        status: 403,
      });
    }
    const guard = (look: () => void) => this.#instrumentation.recorder.guard(look);
    const exchange = this.#exchanges.begin(request);
    const body = request.body === null ? undefined : await request.arrayBuffer();
    if (body) guard(() => exchange.received(parseMessage(new TextDecoder().decode(body))));
    let response: Response;
    try {
      response = await fetch(this.#urlOf(request), {
        method: request.method,
        headers: withoutOwn(request.headers),
        ...(body && { body }),
        redirect: "manual",
        signal: request.signal,
        // A stream of events may be silent for hours.
        timeout: false,
      });
    } catch (error) {
      guard(() => exchange.ended());
      const reason = error instanceof Error ? error.message : String(error);
      return new Response(`toolmeter: ${this.#target.href} does not answer (${reason}).\n`, {
        status: 502,
      });
    }
    guard(() => exchange.answered(response.headers, response.ok && request.method === "DELETE"));
    return new Response(this.#observed(response, exchange, guard), {
      status: response.status,
      statusText: response.statusText,
      headers: withoutOwn(response.headers, "content-encoding"),
    });
  }

  /** The body, read while it passes. */
  #observed(
    response: Response,
    exchange: ReturnType<Exchanges["begin"]>,
    guard: (look: () => void) => void,
  ): ReadableStream<Uint8Array> | null {
    const end = () => guard(() => exchange.ended());
    if (response.body === null) {
      end();
      return null;
    }
    const type = response.headers.get("content-type") ?? "";
    const reader = type.startsWith("text/event-stream")
      ? new EventReader(({ name, data }) => exchange.sentEvent(name, data))
      : new BodyReader((text) => exchange.sent(parseMessage(text)));
    const source = response.body.getReader();
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        try {
          const { done, value } = await source.read();
          if (done) {
            guard(() => reader.end());
            end();
            controller.close();
            return;
          }
          guard(() => reader.push(value));
          controller.enqueue(value);
        } catch (error) {
          end();
          controller.error(error);
        }
      },
      async cancel(reason) {
        end();
        await source.cancel(reason);
      },
    });
  }

  #urlOf(request: Request): string {
    const { pathname, search } = new URL(request.url);
    return new URL(pathname + search, this.#target).href;
  }
}

/** Keeps a body until it is whole. */
class BodyReader {
  readonly #onBody: (text: string) => void;
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(onBody: (text: string) => void) {
    this.#onBody = onBody;
  }

  push(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length <= MAX_BODY_BYTES) this.#parts.push(chunk);
  }

  end(): void {
    if (this.#length > MAX_BODY_BYTES) return;
    this.#onBody(Buffer.concat(this.#parts).toString());
  }
}

function withoutOwn(headers: Headers, ...others: readonly string[]): Headers {
  const passed = new Headers(headers);
  for (const name of [...OWN_HEADERS, ...others]) passed.delete(name);
  return passed;
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && ["http:", "https:"].includes(url.protocol)) return url;
  throw new UsageError(
    `Expected a URL such as http://localhost:3000/mcp, got ${JSON.stringify(text)}.`,
  );
}

function parseAddress(listen: string): { readonly hostname: string; readonly port: number } {
  const [, hostname = "127.0.0.1", port] = /^(?:(.*):)?(\d+)$/.exec(listen) ?? [];
  if (port === undefined) {
    throw new UsageError(
      `Expected an address such as 127.0.0.1:3001, got ${JSON.stringify(listen)}.`,
    );
  }
  return { hostname, port: Number(port) };
}

function serve(
  hostname: string,
  port: number,
  handle: (request: Request) => Promise<Response>,
): Server<undefined> {
  try {
    // A stream of events may be silent for hours.
    return Bun.serve({ hostname, port, idleTimeout: 0, fetch: handle });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(
      `Expected to listen at ${hostname}:${port}, but the system refused (${reason}). Choose another address.`,
    );
  }
}

function interruption(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.once(signal, () => resolve());
  });
}
