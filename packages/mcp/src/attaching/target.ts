/** What the things are that can be instrumented, by their shape: no SDK is imported. */
import type { HeaderReader, Identity } from "../protocol/identity.ts";
import { clientOf, serverOf } from "../protocol/identity.ts";
import { isObject } from "../protocol/message.ts";
import type { SdkGeneration } from "../protocol/target-state.ts";
import type { Transport } from "./tap.ts";

/** A server or client of either SDK below its convenience layer: what is connected to a transport. */
export interface Protocol {
  connect(transport: Transport, ...rest: unknown[]): Promise<unknown>;
  readonly transport?: unknown;
}

export type TargetKind = "McpServer" | "Server" | "Client" | "transport" | "factory";

export function isFactory(target: unknown): target is (...args: unknown[]) => unknown {
  // A class is a function too, and cannot be called like one.
  return typeof target === "function" && !/^class\b/.test(Function.prototype.toString.call(target));
}

export function isTransport(target: unknown): target is Transport {
  return has(target, "start") && has(target, "send") && has(target, "close");
}

/** The low-level server or client of a target. */
export function protocolOf(target: unknown): Protocol | undefined {
  if (isMcpServer(target)) return target.server;
  return isProtocol(target) ? target : undefined;
}

export function kindOf(target: unknown): TargetKind | undefined {
  if (isMcpServer(target)) return "McpServer";
  if (isProtocol(target)) return has(target, "callTool") ? "Client" : "Server";
  if (isTransport(target)) return "transport";
  return isFactory(target) ? "factory" : undefined;
}

export function sdkOf(protocol: Protocol): SdkGeneration {
  return has(protocol, "getNegotiatedProtocolVersion") ? 2 : 1;
}

/**
 * How messages are carried, by what the transport's class is called and has. The names are those of the
 * record's `transport`; undefined for others.
 */
export function transportName(transport: Transport): string | undefined {
  const name = transport.constructor.name;
  if (/InMemory/i.test(name)) return "in_memory";
  if (/SSE/.test(name)) return "sse";
  if (/http/i.test(name)) return "streamable_http";
  return /stdio/i.test(name) || "_stdin" in transport ? "stdio" : undefined;
}

/** Whether a transport is the one that serves this process's own standard input and output. */
export function servesStdio(transport: Transport): boolean {
  return transportName(transport) === "stdio" && !/client/i.test(transport.constructor.name);
}

/** What a protocol says of itself before any message does; both SDKs keep it under these names. */
export function identityOf(protocol: Protocol): Identity {
  const server: unknown = Reflect.get(protocol, "_serverInfo");
  const client: unknown = Reflect.get(protocol, "_clientInfo");
  return { ...(isObject(server) && serverOf(server)), ...(isObject(client) && clientOf(client)) };
}

/** The headers of the request that carried a message: SDK 1 hands on an object, SDK 2 the request. Never throws. */
export function headersOf(extra: unknown): HeaderReader | undefined {
  try {
    return readHeaders(extra);
  } catch {
    return undefined;
  }
}

function readHeaders(extra: unknown): HeaderReader | undefined {
  if (!isObject(extra)) return undefined;
  const { request, requestInfo } = extra;
  if (request instanceof Request) return (name) => request.headers.get(name) ?? undefined;
  const headers = isObject(requestInfo) ? requestInfo["headers"] : undefined;
  if (headers instanceof Headers) return (name) => headers.get(name) ?? undefined;
  if (!isObject(headers)) return undefined;
  return (name) => {
    const value = headers[name];
    return typeof value === "string" ? value : undefined;
  };
}

function isMcpServer(target: unknown): target is { readonly server: Protocol } {
  return has(target, "connect") && isHolder(target) && isProtocol(Reflect.get(target, "server"));
}

function isProtocol(target: unknown): target is Protocol {
  return has(target, "connect") && has(target, "setRequestHandler") && has(target, "request");
}

function has(target: unknown, method: string): boolean {
  return isHolder(target) && typeof Reflect.get(target, method) === "function";
}

function isHolder(target: unknown): target is object {
  return typeof target === "object" && target !== null;
}
