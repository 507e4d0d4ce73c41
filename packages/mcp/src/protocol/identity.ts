import type { JsonObject } from "./message.ts";
import { objectAt, shortTextAt, textAt } from "./message.ts";

/** The known names and versions of client and server. */
export interface Identity {
  readonly clientName?: string | undefined;
  readonly clientVersion?: string | undefined;
  readonly serverName?: string | undefined;
  readonly serverVersion?: string | undefined;
  readonly protocolVersion?: string | undefined;
}

/** Returns a header of the HTTP request that carried a message, by its lower-case name. */
export type HeaderReader = (name: string) => string | undefined;

/** The identity in an `initialize` request. */
export function identityOfInitialize(params: JsonObject): Identity {
  return withoutUnknown({
    ...clientOf(objectAt(params, "clientInfo")),
    protocolVersion: textAt(params, "protocolVersion"),
  });
}

/** The identity in the answer to `initialize`. */
export function identityOfInitialized(result: JsonObject): Identity {
  return withoutUnknown({
    ...serverOf(result["serverInfo"]),
    protocolVersion: textAt(result, "protocolVersion"),
  });
}

/** The identity in the `_meta` of any result (MCP 2026-07-28). */
export function identityOfResult(result: JsonObject): Identity {
  const info = objectAt(objectAt(result, "_meta"), "io.modelcontextprotocol/serverInfo");
  return withoutUnknown(serverOf(info));
}

/**
 * The identity of the client of a request: from its `_meta` (MCP 2026-07-28), else its header, else `initialize`, else
 * its `User-Agent`, which may name only the client's HTTP library.
 */
export function identityOfRequest(
  meta: JsonObject,
  header: HeaderReader | undefined,
  initialized: Identity,
): Identity {
  const client = clientOf(objectAt(meta, "io.modelcontextprotocol/clientInfo"));
  const protocolVersion =
    textAt(meta, "io.modelcontextprotocol/protocolVersion") ??
    header?.("mcp-protocol-version") ??
    initialized.protocolVersion;
  const said = client.clientName === undefined ? initialized : { ...initialized, ...client };
  const known = said.clientName === undefined ? { ...said, ...userAgent(header) } : said;
  return withoutUnknown({ ...known, protocolVersion });
}

export interface TraceContext {
  readonly traceId: string;
  readonly parentSpanId: string;
}

/** https://www.w3.org/TR/trace-context/#traceparent-header, in `_meta` (SEP-414) or as a header. */
export function traceContext(
  meta: JsonObject,
  header: HeaderReader | undefined,
): TraceContext | undefined {
  const text = shortTextAt(meta, "traceparent") ?? header?.("traceparent");
  if (text === undefined) return undefined;
  const [, traceId, parentSpanId] =
    /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-[\da-f]{2}/.exec(text) ?? [];
  return traceId && parentSpanId ? { traceId, parentSpanId } : undefined;
}

export function clientOf(info: unknown): Identity {
  return { clientName: textAt(info, "name"), clientVersion: textAt(info, "version") };
}

export function serverOf(info: unknown): Identity {
  return { serverName: textAt(info, "name"), serverVersion: textAt(info, "version") };
}

/** The first product of a `User-Agent`: `claude-code/2.1 (cli)` is `claude-code`, `2.1`. */
function userAgent(header: HeaderReader | undefined): Identity {
  const [clientName, clientVersion] = header?.("user-agent")?.split(" ")[0]?.split("/") ?? [];
  return { clientName, clientVersion };
}

/** Drops unknown fields, so that merging two identities overwrites no known field. */
function withoutUnknown(identity: Identity): Identity {
  return Object.fromEntries(Object.entries(identity).filter(([, value]) => value));
}
