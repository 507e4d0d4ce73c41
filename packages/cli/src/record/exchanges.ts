import { type Conversation, type Instrumentation, parseMessage } from "@toolmeter/mcp";

/** Paths are resolved against it; it is never asked. */
const ANY_ORIGIN = "http://target.invalid";

const SESSION_HEADER = "mcp-session-id";

/** Sessions that are followed at once at most: clients seldom say that one is over. */
const MAX_SESSIONS = 1_000;

/** Redirects that may be followed yet. */
const MAX_REDIRECTED = 100;

interface Redirected {
  readonly conversation: Conversation;
  readonly request: unknown;
}

/** How an exchange ended: answered to the end, or broken off by one of the two sides. */
export type ExchangeEnd = "answered" | "client_left" | "target_failed";

type HeaderReader = (name: string) => string | undefined;

/** One request and what answers it. */
export interface Exchange {
  /** The request's message; of anything else nothing. */
  received(message: unknown): void;
  /** The answer began. */
  answered(status: number, header: HeaderReader): void;
  sent(message: unknown): void;
  sentEvent(name: string, data: string): void;
  /** Nothing more comes. */
  ended(end: ExchangeEnd): void;
}

/**
 * Which conversation a request belongs to: that of its session, by the header of streamable HTTP or the address that the
 * older transport gave it; else its own.
 */
export class Exchanges {
  readonly #instrumentation: Instrumentation;
  readonly #sessions = new Map<string, Conversation>();
  /** Requests that the target sent elsewhere, by the path where they are expected. */
  readonly #redirected = new Map<string, Redirected>();

  constructor(instrumentation: Instrumentation) {
    this.#instrumentation = instrumentation;
  }

  /** @param path Path and query of the request. */
  begin(method: string, path: string, header: HeaderReader): Exchange {
    let sessionId = header(SESSION_HEADER) ?? sessionOf(path);
    if (sessionId === undefined && this.#sessions.has(path)) sessionId = path;
    let conversation = sessionId === undefined ? undefined : this.#sessions.get(sessionId);
    let isOld = false;
    let request: unknown;
    let isRedirected = false;
    const connect = () =>
      (conversation ??= this.#instrumentation.connect({
        transport: isOld ? "sse" : "streamable_http",
        sessionId: () => sessionId,
      }));
    const sent = (message: unknown) => {
      if (message !== undefined) connect().observe("sent", message);
    };
    return {
      received: (message) => {
        if (message === undefined) return;
        request = message;
        const redirected = this.#redirected.get(path);
        if (redirected && Bun.deepEquals(redirected.request, message)) {
          this.#redirected.delete(path);
          conversation = redirected.conversation;
          return;
        }
        connect().observe("received", message, header);
        if (sessionId !== undefined) this.#keep(sessionId, connect());
      },
      answered: (status, answerHeader) => {
        const given = answerHeader(SESSION_HEADER);
        if (given !== undefined) {
          sessionId = given;
          this.#keep(given, connect());
        }
        const location = answerHeader("location");
        if ([307, 308].includes(status) && location !== undefined && request !== undefined) {
          isRedirected = true;
          this.#redirect(pathOf(location, path), { conversation: connect(), request });
        }
        const isDone = status >= 200 && status < 300;
        if (method === "DELETE" && isDone && sessionId !== undefined) this.#end(sessionId);
      },
      sent,
      sentEvent: (name, data) => {
        if (name !== "endpoint") return sent(parseMessage(data));
        // The older transport: this stream carries the answers to what is posted there.
        isOld = true;
        const endpoint = pathOf(data, path);
        sessionId = sessionOf(endpoint) ?? endpoint;
        this.#keep(sessionId, connect());
      },
      ended: () => {
        if (isRedirected) return;
        if (isOld && sessionId !== undefined) this.#end(sessionId);
        else if (sessionId === undefined || this.#sessions.get(sessionId) !== conversation)
          conversation?.closed();
      },
    };
  }

  /** The proxy ends, and all sessions with it. */
  close(): void {
    for (const sessionId of this.#sessions.keys()) this.#end(sessionId);
    for (const path of this.#redirected.keys()) this.#giveUp(path);
  }

  /** The client repeats its request at another path: it is one call. */
  #redirect(path: string, redirected: Redirected): void {
    this.#redirected.set(path, redirected);
    if (this.#redirected.size <= MAX_REDIRECTED) return;
    const [oldest] = this.#redirected.keys();
    if (oldest !== undefined) this.#giveUp(oldest);
  }

  /** Nobody followed a redirect. */
  #giveUp(path: string): void {
    const conversation = this.#redirected.get(path)?.conversation;
    this.#redirected.delete(path);
    const isOfSession = [...this.#sessions.values()].some((session) => session === conversation);
    if (!isOfSession) conversation?.closed();
  }

  #keep(sessionId: string, conversation: Conversation): void {
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, conversation);
    if (this.#sessions.size <= MAX_SESSIONS) return;
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined) this.#end(oldest);
  }

  #end(sessionId: string): void {
    this.#sessions.get(sessionId)?.closed();
    this.#sessions.delete(sessionId);
  }
}

/** The path and query that a reference leads to. */
function pathOf(reference: string, base: string): string {
  const { pathname, search } = new URL(reference, ANY_ORIGIN + base);
  return pathname + search;
}

/** The session that the older transport names in the query of a path. */
function sessionOf(path: string): string | undefined {
  const [, query] = path.split("?");
  const parameters = new URLSearchParams(query);
  return parameters.get("sessionId") ?? parameters.get("session_id") ?? undefined;
}
