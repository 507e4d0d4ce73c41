/** The same conversation with any server over any transport, written down as the client saw it. */
import type { JsonObject } from "../../src/message.ts";

/** A raw client: what it sends is what is said here, and what it gets is kept to the byte. */
export interface Wire {
  /** Sends a message. */
  send(message: JsonObject): void;
  /** Resolves with the answer to a request. */
  answer(id: string | number): Promise<void>;
  /** What arrived, in order. */
  readonly log: readonly string[];
  /** Goes away, whatever is in flight, and waits until the server noticed. */
  disconnect(): Promise<void>;
}

export type Era = "2025-11-25" | "2026-07-28";

const CLIENT = { name: "test-client", version: "9.9" };

/** Has the conversation and returns what the client saw. */
export async function converse(wire: Wire, era: Era): Promise<readonly string[]> {
  const isModern = era === "2026-07-28";
  const envelope = isModern
    ? {
        "io.modelcontextprotocol/protocolVersion": era,
        "io.modelcontextprotocol/clientInfo": CLIENT,
        "io.modelcontextprotocol/clientCapabilities": {},
      }
    : {};
  const send = (id: string | number, method: string, params: JsonObject = {}) => {
    const meta = { ...envelope, ...(params["_meta"] as object | undefined) };
    const hasMeta = Object.keys(meta).length > 0;
    wire.send({
      jsonrpc: "2.0",
      id,
      method,
      params: { ...params, ...(hasMeta && { _meta: meta }) },
    });
  };
  const request = async (id: string | number, method: string, params?: JsonObject) => {
    send(id, method, params);
    await wire.answer(id);
  };
  const call = (id: string | number, name: string, more: JsonObject = {}) =>
    request(id, "tools/call", { name, ...more });

  if (!isModern) {
    const params = { protocolVersion: era, capabilities: {}, clientInfo: CLIENT };
    await request("init", "initialize", params);
    wire.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  }
  await request("list", "tools/list");
  await call(0, "echo", { arguments: { text: "hi" } });
  await call("0", "echo", {
    arguments: { text: "hi" },
    _meta: { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
  });
  await call(1, "fail_softly");
  await call(2, "throw");
  await call(3, "no_such_tool");
  await call(4, "off");
  await call(5, "echo", { arguments: { text: 7 } });
  await request(6, "tools/call", { arguments: {} });
  await call(7, "structured");
  await call(8, "invalid_output");
  await call(9, "large");
  await call(10, "multibyte");
  await call(11, "progress", { _meta: { progressToken: "p" } });
  return wire.log;
}

/** The calls of the conversation: tool, status, error type, request id. */
export function expectedCalls(kind: string): readonly string[] {
  const isLow = kind.includes("Server") && !kind.includes("McpServer");
  return [
    "echo success - 0",
    "echo success - 0",
    "fail_softly error tool_error 1",
    isLow ? "throw error -32603 2" : "throw error tool_error 2",
    "no_such_tool rejected unknown_tool 3",
    isLow ? "off rejected unknown_tool 4" : "off rejected disabled_tool 4",
    "echo rejected invalid_arguments 5",
    "(none) rejected malformed_request 6",
    "structured success - 7",
    isLow ? "invalid_output success - 8" : "invalid_output error tool_error 8",
    "large success - 9",
    "multibyte success - 10",
    "progress success - 11",
  ];
}
