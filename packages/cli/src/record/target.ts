import http from "node:http";
import https from "node:https";
import type { Header } from "./headers.ts";
import { isLoopback } from "./loopback.ts";

/** The port that a scheme implies. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** The server that is recorded. Every connection the recorder makes goes to its origin: scheme, host and port. */
export class Target {
  /** For people: without user, password and query, which may be secrets. */
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
   * Connections to the target, for one client connection. They stay open between requests, as the client's does: a
   * client whose connection is not new knows that a server may close it at any time.
   * An https target on another machine is reached through the proxy that `HTTPS_PROXY` and `NO_PROXY` name, as a tunnel.
   * `HTTP_PROXY` is not used: such a proxy would be told by each request where to go, and Node's agent resolves that
   * from the client's path.
   */
  agent(): http.Agent {
    const isSecure = this.#url.protocol === "https:";
    const { Agent } = isSecure ? https : http;
    return new Agent({
      keepAlive: true,
      // What a client sends without waiting for the answer stays in order.
      maxSockets: 1,
      ...(isSecure && !isLoopback(this.#url.hostname) && { proxyEnv: process.env }),
    });
  }

  /** Begins a request. Throws if a header has characters that HTTP does not allow. */
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
   * A `Location` as the client may see it: on the recorder where it is on the target, and without the target's own
   * query. Other addresses are unchanged.
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

  /** The target's query comes with every request; a parameter that the client gives replaces the target's. */
  #withOwnQuery(path: string): string {
    if (this.#parts.length === 0) return path;
    const [pathname = "", ...rest] = path.split("?");
    const query = rest.join("?");
    const given = new Set(partsOf(query).map(nameOf));
    const own = this.#parts.filter((part) => !given.has(nameOf(part)));
    const whole = [...own, ...(query === "" ? [] : [query])].join("&");
    return `${pathname}?${whole}`;
  }

  /** Servers on this machine do not agree on its name. */
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

/** Requests and answers whose start line and headers are longer are refused. */
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

/** Decodes per cent signs, but not one that encodes nothing, as a password may have it. One character is one byte. */
function toBytes(text: string): string {
  return text.replaceAll(/%([\da-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
