import { type Conversation, type Instrumentation, parseMessage } from "@toolmeter/mcp";

/** A base for resolving paths; no request is sent to it. */
const ANY_ORIGIN = "http://target.invalid";

const SESSION_HEADER = "mcp-session-id";

/** Maximum number of sessions tracked at once, because clients seldom end theirs explicitly. */
const MAX_SESSIONS = 1_000;

/** Maximum number of redirects that are remembered until the client follows them. */
const MAX_REDIRECTED = 100;

interface Redirected {
  readonly conversation: Conversation;
  readonly request: unknown;
}

/** The end of an exchange: completely answered, or aborted by the client or the target. */
export type ExchangeEnd = "answered" | "client_left" | "target_failed";

type HeaderReader = (name: string) => string | undefined;

/** One request and its answer. */
export interface Exchange {
  /** Observes the request's message; `undefined` is ignored. */
  received(message: unknown): void;
  /** The answer has started. */
  answered(status: number, header: HeaderReader): void;
  sent(message: unknown): void;
  sentEvent(name: string, data: string): void;
  /** The exchange is over. */
  ended(end: ExchangeEnd): void;
}

/**
 * Assigns requests to conversations: to that of their session (identified by the header of streamable HTTP, or by the
 * endpoint of the older transport), otherwise to a new one.
 */
export class Exchanges {
  readonly #instrumentation: Instrumentation;
  readonly #sessions = new Map<string, Conversation>();
  /** Requests that the target redirected, by their new path. */
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
        // In the older transport, this stream carries the answers to requests posted to the endpoint.
        isOld = true;
        const endpoint = pathOf(data, path);
        sessionId = sessionOf(endpoint) ?? endpoint;
        this.#keep(sessionId, connect());
      },
      ended: (end) => {
        if (isRedirected) return;
        const reason = end === "target_failed" ? "server_ended" : undefined;
        if (isOld && sessionId !== undefined) this.#end(sessionId, reason);
        else if (sessionId === undefined || this.#sessions.get(sessionId) !== conversation)
          conversation?.closed(reason);
      },
    };
  }

  /** Ends all sessions when the proxy stops. */
  close(): void {
    for (const sessionId of this.#sessions.keys()) this.#end(sessionId);
    for (const path of this.#redirected.keys()) this.#giveUp(path);
  }

  /** Remembers a redirected request: its repetition at the new path belongs to the same call. */
  #redirect(path: string, redirected: Redirected): void {
    this.#redirected.set(path, redirected);
    if (this.#redirected.size <= MAX_REDIRECTED) return;
    const [oldest] = this.#redirected.keys();
    if (oldest !== undefined) this.#giveUp(oldest);
  }

  /** Closes the conversation of a redirect that was not followed. */
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

  #end(sessionId: string, reason?: string): void {
    this.#sessions.get(sessionId)?.closed(reason);
    this.#sessions.delete(sessionId);
  }
}

/** Resolves a reference to a path and query. */
function pathOf(reference: string, base: string): string {
  const { pathname, search } = new URL(reference, ANY_ORIGIN + base);
  return pathname + search;
}

/** Returns the session id that the older transport puts in the query of a path. */
function sessionOf(path: string): string | undefined {
  const [, query] = path.split("?");
  const parameters = new URLSearchParams(query);
  return parameters.get("sessionId") ?? parameters.get("session_id") ?? undefined;
}
