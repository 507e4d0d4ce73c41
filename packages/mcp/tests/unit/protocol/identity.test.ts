import { describe, expect, test } from "bun:test";
import {
  identityOfInitialize,
  identityOfInitialized,
  identityOfRequest,
  identityOfResult,
  traceContext,
} from "../../../src/protocol/identity.ts";

const initialized = { clientName: "claude", clientVersion: "1", protocolVersion: "2025-06-18" };
const headers = (values: Record<string, string>) => (name: string) => values[name];

describe("identityOfRequest()", () => {
  test("is what initialize said", () => {
    expect(identityOfRequest({}, undefined, initialized)).toEqual(initialized);
  });

  test("is first of all what the request says of itself", () => {
    const meta = {
      "io.modelcontextprotocol/clientInfo": { name: "cursor" },
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    };
    const header = headers({ "mcp-protocol-version": "2025-11-25", "user-agent": "node" });
    // Not the other client's version.
    expect(identityOfRequest(meta, header, initialized)).toEqual({
      clientName: "cursor",
      protocolVersion: "2026-07-28",
    });
  });

  test("takes the protocol from the header, and the client from its User-Agent if nothing else is known", () => {
    const header = headers({
      "mcp-protocol-version": "2025-11-25",
      "user-agent": "claude-code/2.1 (cli)",
    });
    expect(identityOfRequest({}, header, {})).toEqual({
      clientName: "claude-code",
      clientVersion: "2.1",
      protocolVersion: "2025-11-25",
    });
    expect(identityOfRequest({}, header, initialized)).toEqual({
      ...initialized,
      protocolVersion: "2025-11-25",
    });
    expect(identityOfRequest({}, headers({ "user-agent": "node" }), {})).toEqual({
      clientName: "node",
    });
  });

  test("is nothing where nothing is said, whatever shape it has", () => {
    const meta = {
      "io.modelcontextprotocol/clientInfo": [7],
      "io.modelcontextprotocol/protocolVersion": {},
    };
    expect(identityOfRequest(meta, headers({}), {})).toEqual({});
  });
});

test("the handshake names both sides", () => {
  const clientInfo = { name: "claude", version: "1" };
  expect(identityOfInitialize({ clientInfo, protocolVersion: "2025-06-18" })).toEqual(initialized);
  const serverInfo = { name: "files", version: "2" };
  expect(identityOfInitialized({ serverInfo, protocolVersion: "2025-03-26" })).toEqual({
    serverName: "files",
    serverVersion: "2",
    protocolVersion: "2025-03-26",
  });
  expect(identityOfResult({ _meta: { "io.modelcontextprotocol/serverInfo": serverInfo } })).toEqual(
    { serverName: "files", serverVersion: "2" },
  );
});

describe("traceContext()", () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;

  test("is read from _meta, else from the header", () => {
    const expected = { traceId, parentSpanId: "00f067aa0ba902b7" };
    expect(traceContext({ traceparent }, undefined)).toEqual(expected);
    expect(traceContext({}, headers({ traceparent }))).toEqual(expected);
  });

  test.each(["", "00-xyz-1-01", 7, null])("is none where it is %p", (bad) => {
    expect(traceContext({ traceparent: bad }, undefined)).toBeUndefined();
  });
});
