import type { Connection, Instrumentation } from "@toolmeter/mcp";
import { parseMessage } from "./message.ts";

const SESSION_HEADER = "mcp-session-id";

/** Sessions that are followed at once at most: clients seldom say that one is over. */
const MAX_SESSIONS = 1_000;

/** One request and what answers it. */
interface Exchange {
  /** The request's message; of anything else nothing. */
  received(message: unknown): void;
  /** The answer began. */
  answered(headers: Headers, isSessionOver: boolean): void;
  sent(message: unknown): void;
  sentEvent(name: string, data: string): void;
  /** Nothing more comes. */
  ended(): void;
}

/**
 * Which connection a request belongs to: that of its session, by the header of streamable HTTP or the address that the
 * older transport gave it; else its own.
 */
export class Exchanges {
  readonly #instrumentation: Instrumentation;
  readonly #sessions = new Map<string, Connection>();

  constructor(instrumentation: Instrumentation) {
    this.#instrumentation = instrumentation;
  }

  begin(request: Request): Exchange {
    const header = (name: string) => request.headers.get(name) ?? undefined;
    const url = new URL(request.url);
    const named =
      header(SESSION_HEADER) ??
      url.searchParams.get("sessionId") ??
      url.searchParams.get("session_id");
    let sessionId = named ?? undefined;
    let connection = sessionId === undefined ? undefined : this.#sessions.get(sessionId);
    let isOld = false;
    const connect = () =>
      (connection ??= this.#instrumentation.connect({
        transport: isOld ? "sse" : "streamable_http",
        sessionId: () => sessionId,
      }));
    return {
      received: (message) => {
        if (message === undefined) return;
        connect().observe("received", message, header);
        if (sessionId !== undefined) this.#keep(sessionId, connect());
      },
      answered: (headers, isSessionOver) => {
        const given = headers.get(SESSION_HEADER);
        if (given !== null) {
          sessionId = given;
          this.#keep(given, connect());
        }
        if (isSessionOver && sessionId !== undefined) this.#end(sessionId);
      },
      sent: (message) => {
        if (message !== undefined) connect().observe("sent", message);
      },
      sentEvent: (name, data) => {
        if (name === "endpoint") {
          // The older transport: this stream carries the answers to what is posted there.
          isOld = true;
          const endpoint = new URL(data, url).searchParams;
          sessionId = endpoint.get("sessionId") ?? endpoint.get("session_id") ?? undefined;
          if (sessionId !== undefined) this.#keep(sessionId, connect());
        } else {
          const message = parseMessage(data);
          if (message !== undefined) connect().observe("sent", message);
        }
      },
      ended: () => {
        if (isOld && sessionId !== undefined) this.#end(sessionId);
        else if (sessionId === undefined || this.#sessions.get(sessionId) !== connection)
          connection?.closed();
      },
    };
  }

  /** The proxy ends, and all sessions with it. */
  close(): void {
    for (const sessionId of this.#sessions.keys()) this.#end(sessionId);
  }

  #keep(sessionId: string, connection: Connection): void {
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, connection);
    if (this.#sessions.size <= MAX_SESSIONS) return;
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined) this.#end(oldest);
  }

  #end(sessionId: string): void {
    this.#sessions.get(sessionId)?.closed();
    this.#sessions.delete(sessionId);
  }
}
