/** The same conversation with any server over any transport, written down as the client saw it. */
import type { JsonObject } from "../../src/protocol/message.ts";

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

/** What a client of an era says, one message after the other. */
export class Conversation {
  readonly #wire: Wire;
  readonly #era: Era;
  readonly #client: { readonly name: string; readonly version: string };

  constructor(wire: Wire, era: Era, clientName = "test-client") {
    this.#wire = wire;
    this.#era = era;
    this.#client = { name: clientName, version: "9.9" };
  }

  /** The handshake, where the era has one. */
  async begin(): Promise<void> {
    if (this.#era === "2026-07-28") return;
    const clientInfo = this.#client;
    await this.request("init", "initialize", {
      protocolVersion: this.#era,
      capabilities: {},
      clientInfo,
    });
    this.#wire.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  }

  send(id: string | number, method: string, params: JsonObject = {}): void {
    const envelope = this.#era === "2026-07-28" && {
      "io.modelcontextprotocol/protocolVersion": this.#era,
      "io.modelcontextprotocol/clientInfo": this.#client,
      "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
    };
    const meta = { ...envelope, ...(params["_meta"] as object | undefined) };
    const hasMeta = Object.keys(meta).length > 0;
    const all = { ...params, ...(hasMeta && { _meta: meta }) };
    this.#wire.send({ jsonrpc: "2.0", id, method, params: all });
  }

  async request(id: string | number, method: string, params?: JsonObject): Promise<void> {
    this.send(id, method, params);
    await this.#wire.answer(id);
  }

  call(id: string | number, name: string, more: JsonObject = {}): Promise<void> {
    return this.request(id, "tools/call", { name, ...more });
  }

  /** A call that is not answered until it is cancelled; resolves when the tool runs. */
  async callWait(id: number): Promise<void> {
    this.send(id, "tools/call", { name: "wait" });
    await this.call(`after ${id}`, "echo", { arguments: { text: "hi" } });
  }

  cancel(requestId: number, reason: string): void {
    this.#wire.send({
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId, reason },
    });
  }
}

/** Has a call end in every way that needs no cancelling, and returns what the client saw. */
export async function converse(wire: Wire, era: Era): Promise<readonly string[]> {
  const client = new Conversation(wire, era);
  await client.begin();
  await client.request("list", "tools/list");
  await client.call(0, "echo", { arguments: { text: "hi" } });
  await client.call("0", "echo", {
    arguments: { text: "hi" },
    _meta: { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
  });
  await client.call(1, "fail_softly");
  await client.call(2, "throw");
  await client.call(3, "no_such_tool");
  await client.call(4, "off");
  await client.call(5, "echo", { arguments: { text: 7 } });
  await client.request(6, "tools/call", { arguments: {} });
  await client.call(7, "structured");
  await client.call(8, "invalid_output");
  await client.call(9, "large");
  await client.call(10, "multibyte");
  await client.call(11, "progress", { _meta: { progressToken: "p" } });
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
