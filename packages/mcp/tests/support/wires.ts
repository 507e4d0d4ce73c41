import type { JsonObject } from "../../src/protocol/message.ts";
import type { Wire } from "./transcript.ts";

/** Keeps what arrived and tells whoever waits for it. */
class Log {
  readonly lines: string[] = [];
  readonly #waiting = new Map<unknown, PromiseWithResolvers<void>>();
  readonly #answered = new Set<unknown>();

  add(line: string, message: unknown): void {
    this.lines.push(line);
    const { id, method } = message as { id?: unknown; method?: unknown };
    if (id === undefined || method !== undefined) return;
    this.#answered.add(id);
    this.#waiting.get(id)?.resolve();
  }

  answer(id: unknown): Promise<void> {
    if (this.#answered.has(id)) return Promise.resolve();
    const waiting = Promise.withResolvers<void>();
    this.#waiting.set(id, waiting);
    return waiting.promise;
  }
}

interface RawTransport {
  onmessage?: (message: never) => void;
  start(): Promise<void>;
  send(message: never): Promise<void>;
  close(): Promise<void>;
}

/** One end of a linked pair of an SDK's in-memory transports. */
export async function memoryWire(transport: RawTransport): Promise<Wire> {
  const log = new Log();
  transport.onmessage = (message: unknown) => log.add(JSON.stringify(message), message);
  await transport.start();
  return {
    send: (message) => void transport.send(message as never),
    answer: (id) => log.answer(id),
    log: log.lines,
    disconnect: () => transport.close(),
  };
}

/** A server in a process of its own. Its standard error must stay empty. */
export function stdioWire(
  command: readonly string[],
  env: Record<string, string | undefined>,
): Wire & {
  readonly process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly done: Promise<string>;
} {
  const log = new Log();
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const done = (async () => {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) log.add(line, JSON.parse(line));
    }
    await child.exited;
    return child.stderr.text();
  })();
  return {
    process: child,
    done,
    send(message) {
      void child.stdin.write(`${JSON.stringify(message)}\n`);
      void child.stdin.flush();
    },
    answer: (id) => log.answer(id),
    log: log.lines,
    async disconnect() {
      await child.stdin.end();
      await done;
    },
  };
}

/** Posts to a handler of requests; a session is kept if the server gives one. */
export function httpWire(url: string): Wire {
  const log = new Log();
  const abort = new AbortController();
  const exchanges = new Set<Promise<void>>();
  let sessionId: string | null = null;
  let version: string | undefined;

  async function post(message: JsonObject): Promise<void> {
    const params = message["params"] as JsonObject | undefined;
    const meta = params?.["_meta"] as JsonObject | undefined;
    const modern = meta?.["io.modelcontextprotocol/protocolVersion"];
    const method = String(message["method"]);
    if (method === "initialize") version = String(params?.["protocolVersion"]);
    const response = await fetch(url, {
      method: "POST",
      body: JSON.stringify(message),
      signal: abort.signal,
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(sessionId && { "mcp-session-id": sessionId }),
        ...(version && method !== "initialize" && { "mcp-protocol-version": version }),
        ...(typeof modern === "string" && {
          "mcp-protocol-version": modern,
          "mcp-method": method,
          ...(typeof params?.["name"] === "string" && { "mcp-name": params["name"] }),
        }),
      },
    });
    sessionId = response.headers.get("mcp-session-id") ?? sessionId;
    const type = response.headers.get("content-type");
    if (response.status === 202) return;
    if (type?.includes("event-stream")) {
      let rest = "";
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) {
        const events = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
        rest = events.pop() ?? "";
        for (const event of events) {
          const data = event
            .split("\n")
            .find((line) => line.startsWith("data: "))
            ?.slice(6);
          if (data) log.add(`${response.status} ${type} ${event}`, JSON.parse(data));
        }
      }
      return;
    }
    const body = await response.text();
    log.add(`${response.status} ${type} ${body}`, JSON.parse(body));
  }

  return {
    send(message) {
      const exchange = post(message).catch((error: unknown) => {
        if (!abort.signal.aborted) throw error;
      });
      exchanges.add(exchange);
    },
    answer: (id) => log.answer(id),
    log: log.lines,
    async disconnect() {
      abort.abort();
      await Promise.all(exchanges);
    },
  };
}
