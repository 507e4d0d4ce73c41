import http from "node:http";
import https from "node:https";
import type { Header } from "./headers.ts";
import { isLoopback } from "./loopback.ts";

/** The default port of each scheme. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** The recorded server. All connections of the recorder go to its origin: scheme, host and port. */
export class Target {
  /** The URL for display, without user, password and query, which may be secret. */
  readonly shown: string;
  readonly origin: string;
  readonly pathname: string;
  readonly #url: URL;
  /** The parts of its query, such as `api_key=1`. */
  readonly #parts: readonly string[];
  readonly #authorization: string | undefined;

  constructor(url: URL) {
    this.#url = url;
    this.origin = url.origin;
    this.pathname = url.pathname;
    this.shown = url.origin + url.pathname;
    this.#parts = partsOf(url.search.slice(1));
    this.#authorization = authorizationOf(url);
  }

  /**
   * Creates an agent for one client connection. Its connection to the target stays open between requests, like the
   * client's: a client that reuses a connection expects that the server may close it at any time.
   * Reaches an https target on another machine through a tunnel of the proxy in `HTTPS_PROXY`, subject to `NO_PROXY`.
   * `HTTP_PROXY` is not used: each request would contain the destination, which Node's agent derives from the client's
   * path.
   */
  agent(): http.Agent {
    const isSecure = this.#url.protocol === "https:";
    const { Agent } = isSecure ? https : http;
    return new Agent({
      keepAlive: true,
      // Pipelined requests stay in order.
      maxSockets: 1,
      ...(isSecure && !isLoopback(this.#url.hostname) && { proxyEnv: process.env }),
    });
  }

  /** Starts a request. Throws if a header has invalid characters. */
  request(
    method: string,
    path: string,
    headers: readonly Header[],
    agent: http.Agent,
  ): http.ClientRequest {
    const { protocol, hostname, host, port } = this.#url;
    const { request } = protocol === "https:" ? https : http;
    const sent = ["Host", host, ...headers.flat()];
    const isAuthorized = headers.some(([name]) => name.toLowerCase() === "authorization");
    if (this.#authorization !== undefined && !isAuthorized) {
      sent.push("Authorization", this.#authorization);
    }
    return request({
      protocol,
      host: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? DEFAULT_PORTS[protocol] : port,
      method,
      path: this.#withOwnQuery(path),
      headers: sent,
      setHost: false,
      agent,
      maxHeaderSize: MAX_HEAD_BYTES,
    });
  }

  /**
   * Rewrites a `Location` for the client: addresses on the target become addresses on the recorder, without the
   * target's own query. Other addresses stay unchanged.
   * @param recorder The origin at which the client reaches the recorder.
   */
  location(text: string, path: string, recorder: string): string {
    const url = URL.parse(text, this.origin + path);
    if (url === null) return text;
    const parts = partsOf(url.search.slice(1));
    const others = parts.filter((part) => !this.#parts.includes(part));
    const isHere = this.#isHere(url);
    const staysAsItIs = !isHere || !/^(?:[a-z][a-z\d+.-]*:|[/\\]{2})/i.test(text);
    if (staysAsItIs && others.length === parts.length) return text;
    url.search = others.join("&");
    return isHere ? recorder + url.pathname + url.search + url.hash : url.href;
  }

  /** Adds the target's query to a path; parameters of the client override those of the target. */
  #withOwnQuery(path: string): string {
    if (this.#parts.length === 0) return path;
    const [pathname = "", ...rest] = path.split("?");
    const query = rest.join("?");
    const given = new Set(partsOf(query).map(nameOf));
    const own = this.#parts.filter((part) => !given.has(nameOf(part)));
    const whole = [...own, ...(query === "" ? [] : [query])].join("&");
    return `${pathname}?${whole}`;
  }

  /** Whether a URL is on the target. Loopback names count as equal, because servers use different ones. */
  #isHere({ origin, protocol, port, hostname }: URL): boolean {
    if (origin === this.origin) return true;
    return (
      protocol === this.#url.protocol &&
      port === this.#url.port &&
      isLoopback(hostname) &&
      isLoopback(this.#url.hostname)
    );
  }
}

/** Maximum length of the start line and headers of a request or an answer, in bytes. Longer ones are refused. */
export const MAX_HEAD_BYTES = 1_048_576;

function partsOf(query: string): string[] {
  return query.split("&").filter((part) => part !== "");
}

function nameOf(part: string): string {
  const [name = ""] = new URLSearchParams(part).keys();
  return name;
}

function authorizationOf({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  const credentials = `${toBytes(username)}:${toBytes(password)}`;
  return `Basic ${Buffer.from(credentials, "latin1").toString("base64")}`;
}

/**
 * Decodes percent-encoding to one character per byte. Keeps a `%` that encodes nothing, as in an unencoded password.
 */
function toBytes(text: string): string {
  return text.replaceAll(/%([\da-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
