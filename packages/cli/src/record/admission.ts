import type { IncomingMessage } from "node:http";
import { valuesOf } from "./headers.ts";
import { isLoopback } from "./loopback.ts";

/** The path to request from the target, or the reason why a request is refused. */
export type Admission =
  | { readonly path: string }
  | { readonly status: 400 | 403; readonly reason: string };

/**
 * Decides whether a request is passed on, and with which path and query. The path is not normalized: the target
 * receives what the client wrote. A path can never select another server.
 * @param isLocal Whether the listener serves only this machine. Requests for another host name are then refused: a web
 * page may have sent them by pointing its own name at this machine (DNS rebinding), and the target cannot detect it,
 * because it receives its own name.
 */
export function admit(request: IncomingMessage, isLocal: boolean): Admission {
  const { rawHeaders, httpVersion, url = "" } = request;
  const hosts = valuesOf(rawHeaders, "host");
  const [host] = hosts;
  if (hosts.length > 1) return malformed(`one Host header, got ${hosts.length}`);
  if (host === undefined && httpVersion !== "1.0") return malformed("a Host header, got none");
  const hostname = host === undefined ? undefined : hostnameOf(host);
  if (host !== undefined && hostname === undefined) {
    return malformed("a Host header such as localhost:3001, got an invalid one");
  }
  if (isLocal && hostname !== undefined && !isLoopback(hostname)) {
    return { status: 403, reason: `Expected this machine's name in Host, got ${hostname}.` };
  }
  const encodings = valuesOf(rawHeaders, "transfer-encoding");
  if (
    encodings.length > 0 &&
    (httpVersion === "1.0" || encodings.join().toLowerCase() !== "chunked")
  ) {
    return malformed("the transfer encoding chunked in HTTP/1.1");
  }
  const path = pathOf(url, host, request.socket.localPort);
  if (path === undefined || path.includes("#")) {
    return malformed("a path of this server, such as /mcp");
  }
  return { path };
}

/** Accepts a path, and the absolute form (RFC 9112 §3.2.2) if it names this listener. */
function pathOf(
  url: string,
  host: string | undefined,
  localPort: number | undefined,
): string | undefined {
  if (url.startsWith("/")) return url;
  const [, authority, rest = ""] = /^http:\/\/([^/?#]*)(.*)$/i.exec(url) ?? [];
  if (authority === undefined || authority !== host) return undefined;
  if (Number(new URL(`http://${authority}`).port || 80) !== localPort) return undefined;
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** Returns the name in a Host header, without port, as normalized by `URL`. */
function hostnameOf(host: string): string | undefined {
  const isPlain = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d*)?$/i.test(host);
  const url = isPlain ? URL.parse(`http://${host}`) : null;
  return url?.hostname;
}

function malformed(expected: string): Admission {
  return { status: 400, reason: `Expected ${expected}.` };
}
