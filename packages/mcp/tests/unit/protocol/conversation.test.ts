import { expect, test } from "bun:test";
import { recordedConversation } from "../../support/recorded-conversation.ts";

const call = (id: unknown, name: unknown = "echo") => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name },
});
const answer = (id: unknown) => ({ jsonrpc: "2.0", id, result: { content: [] } });

/** Tool, status and error type of each call. */
async function lines(recorded: ReturnType<typeof recordedConversation>) {
  const calls = await recorded.calls();
  return calls.map((row) => `${row.toolName} ${row.status} ${row.errorType ?? "-"}`);
}

test("tells requests of both directions and batches apart", async () => {
  await using recorded = recordedConversation();
  const { conversation } = recorded;
  conversation.observe("received", [call(1, "a"), call(2, "b")]);
  conversation.observe("sent", call(1, "theirs"));
  conversation.observe("sent", [
    answer(2),
    { jsonrpc: "2.0", id: 1, error: { code: -32_603, message: "no" } },
  ]);
  conversation.observe("received", answer(1));
  expect(await lines(recorded)).toEqual(["b success -", "a error -32603", "theirs success -"]);
});

test("an id that is a number is not the same text", async () => {
  await using recorded = recordedConversation();
  const { conversation } = recorded;
  conversation.observe("received", [call(0, "number"), call("0", "text")]);
  conversation.observe("sent", answer("0"));
  conversation.observe("sent", { jsonrpc: "2.0", id: 0, error: { code: 1, message: "no" } });
  expect(await lines(recorded)).toEqual(["text success -", "number error 1"]);
});

test("settles what is in flight when it closes, and ignores what comes for it later", async () => {
  await using recorded = recordedConversation();
  const { conversation } = recorded;
  conversation.observe("received", call("x"));
  conversation.closed();
  conversation.observe("sent", answer("x"));
  conversation.observe("received", {
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId: "x" },
  });
  expect(await lines(recorded)).toEqual(["echo cancelled disconnected"]);
});

test("gives up a request whose id comes again", async () => {
  await using recorded = recordedConversation();
  const { conversation } = recorded;
  conversation.observe("received", call(1, "first"));
  conversation.observe("received", call(1, "second"));
  conversation.observe("sent", answer(1));
  expect(await lines(recorded)).toEqual(["first cancelled -", "second success -"]);
});

test("records the protocol version that the server chose, and the server's name", async () => {
  await using recorded = recordedConversation();
  const { conversation } = recorded;
  const clientInfo = { name: "client", version: "1" };
  conversation.observe("received", {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
  });
  const serverInfo = { name: "server", version: "2" };
  conversation.observe("sent", {
    jsonrpc: "2.0",
    id: 1,
    result: { protocolVersion: "2025-06-18", capabilities: {}, serverInfo },
  });
  conversation.observe("received", call(2));
  conversation.observe("sent", answer(2));
  expect(await recorded.calls()).toMatchObject([
    {
      protocolVersion: "2025-06-18",
      clientName: "client",
      serverName: "server",
      serverVersion: "2",
    },
  ]);
});

test("follows 10,000 requests at once, and further ones when some are answered", async () => {
  await using recorded = recordedConversation();
  const { conversation } = recorded;
  // Listings, because each call would be written.
  for (let id = 0; id < 10_000; id++)
    conversation.observe("received", { jsonrpc: "2.0", id, method: "tools/list" });
  conversation.observe("received", call("over", "over"));
  conversation.observe("sent", answer("over"));
  conversation.observe("sent", answer(7));
  conversation.observe("received", call("next", "next"));
  conversation.observe("sent", answer("next"));
  expect(await lines(recorded)).toEqual(["next success -"]);
});

test("records the outcome of what no JSON can hold", async () => {
  await using recorded = recordedConversation();
  const { conversation, target } = recorded;
  const circular: Record<string, unknown> = { content: [] };
  circular["self"] = circular;
  conversation.observe("received", call(1, "circular"));
  conversation.observe("sent", { jsonrpc: "2.0", id: 1, result: circular });
  conversation.observe("received", {
    jsonrpc: "2.0",
    id: 2,
    method: "tools/call",
    params: { name: "big", arguments: { n: 1n } },
  });
  conversation.observe("sent", answer(2));
  expect(await lines(recorded)).toEqual(["circular success -", "big success -"]);
  // A bigint is read as its decimal text.
  expect(target.failures).toBe(1);
});

test("never throws: a message that cannot be read is counted, and the next one is recorded", async () => {
  await using recorded = recordedConversation();
  const { conversation, target } = recorded;
  const hostile = {
    get method(): string {
      throw new Error("do not look");
    },
  };
  conversation.observe("received", hostile);
  conversation.observe("received", call(1));
  conversation.observe("sent", answer(1));
  conversation.closed();
  expect(target.failures).toBe(1);
  expect(await lines(recorded)).toEqual(["echo success -"]);
});

test("passes over what is no message", async () => {
  await using recorded = recordedConversation();
  const { conversation, target } = recorded;
  for (const nonsense of [
    null,
    7,
    "x",
    [null, []],
    {},
    { method: 7 },
    { id: {}, method: "tools/call" },
    { id: 1, method: "tools/call", params: [] },
    { id: 2, method: "tools/call", params: { name: { toString: 1 }, arguments: 7 } },
    { id: 1, result: null },
    { id: 2, error: 7 },
    { id: 3, result: {} },
    { method: "notifications/cancelled", params: { requestId: {} } },
    { id: 4, method: "tools/list" },
    { id: 4, result: { tools: [null, {}, { name: 7 }, { name: "x", inputSchema: 7 }] } },
  ]) {
    conversation.observe("received", nonsense);
    conversation.observe("sent", nonsense);
  }
  conversation.closed();
  expect(target.failures).toBe(0);
  expect(new Set(await lines(recorded))).toEqual(new Set(["(none) rejected malformed_request"]));
});
