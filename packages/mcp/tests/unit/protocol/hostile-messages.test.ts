/** Messages that would take long to read. Over stdio and HTTP they are JSON; in memory they may be anything. */
import { expect, test } from "bun:test";
import type { Conversation } from "../../../src/protocol/conversation.ts";
import { recordedConversation } from "../../support/recorded-conversation.ts";

const LONG = Buffer.alloc(50_000_000, "x").toString();

interface Row {
  readonly toolName: string;
  readonly status: string;
  readonly valid: number;
  readonly inputBytes: number | null;
  readonly outputBytes: number | null;
  readonly argumentHash: string | null;
}

/** The records of a conversation with payloads, and the number of messages that could not be read. */
async function recorded(talk: (conversation: Conversation) => void, transport = "in_memory") {
  await using recording = recordedConversation({ transport }, true);
  const { db, telemetry, target } = recording;
  talk(recording.conversation);
  // The rest of a long listing has its turn.
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
  await telemetry.flush();
  const rows = db.$client
    .query<Row, []>(
      `select tool_name as toolName, status, json_valid(arguments) + json_valid(result) as valid,
         input_bytes as inputBytes, output_bytes as outputBytes, argument_hash as argumentHash
       from tool_calls order by sequence`,
    )
    .all();
  const definitions = db.$client
    .query<{ bytes: number; valid: number }, []>(
      "select bytes, json_valid(definition) as valid from tool_definitions",
    )
    .all();
  const linked = db.$client
    .query<{ links: number }, []>("select count(*) as links from session_definitions")
    .get();
  const { dropped } = telemetry.stats;
  return {
    rows,
    definitions,
    linked: linked?.links,
    refused: dropped.invalid,
    failures: target.failures,
  };
}

function call(
  conversation: Conversation,
  id: string | number,
  params: object,
  answer: object,
): void {
  conversation.observe("received", { jsonrpc: "2.0", id, method: "tools/call", params });
  conversation.observe("sent", { jsonrpc: "2.0", id, ...answer });
}

function doubled(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = { value, again: [value] };
  return value;
}

const HOSTILE: Record<string, unknown> = {
  "50 MB of bytes": { v: new Uint8Array(50_000_000) },
  "shared parts": doubled(40),
  "200,000 values": { v: Array.from({ length: 200_000 }, (_, i) => i) },
  "50 MB of text": { v: LONG },
  "a huge bigint": { v: 1n << 1_000_000n },
  "a proxy": new Proxy({}, {}),
  "a long name": { [LONG]: 1 },
};

test.each(["in_memory", "stdio"])(
  "values that take long to read are recorded in part, over %s",
  async (transport) => {
    const { rows, refused, failures } = await recorded((conversation) => {
      for (const [name, value] of Object.entries(HOSTILE)) {
        const result = { content: [{ type: "text", text: "a" }], structuredContent: value };
        call(conversation, name, { name, arguments: value }, { result });
      }
    }, transport);
    expect({ refused, failures }).toEqual({ refused: 0, failures: 0 });
    expect(rows.map(({ toolName }) => toolName)).toEqual(Object.keys(HOSTILE));
    for (const row of rows) expect(row).toMatchObject({ status: "success", valid: 2 });
  },
);

test("arguments that were not read to their end have at least the size that was read, and no hash", async () => {
  const { rows } = await recorded((conversation) => {
    call(conversation, 1, { name: "a", arguments: { v: LONG } }, { result: {} });
    call(conversation, 2, { name: "b", arguments: { v: "x" } }, { result: {} });
  });
  expect(rows).toMatchObject([
    { inputBytes: 50_000_008, argumentHash: null },
    { inputBytes: 9, argumentHash: expect.any(String) },
  ]);
});

test("names, ids, messages and reasons may be of any length", async () => {
  const { rows, failures } = await recorded((conversation) => {
    call(conversation, LONG, { name: LONG }, { error: { code: 1, message: LONG } });
    const failed = { content: [{ type: "text", text: LONG }], isError: true };
    call(conversation, 2, { name: "failed" }, { result: failed });
    const blocks = Array.from({ length: 1_000_000 }, () => ({}));
    call(conversation, 3, { name: "blocks" }, { result: { content: blocks, isError: true } });
    conversation.observe("received", { id: 4, method: "tools/call", params: { name: "late" } });
    const params = { requestId: 4, reason: `${LONG}timeout` };
    conversation.observe("received", { method: "notifications/cancelled", params });
    conversation.observe("received", { id: 5, method: LONG, params: {} });
  });
  expect(failures).toBe(0);
  expect(rows.map(({ status }) => status)).toEqual(["error", "error", "error", "cancelled"]);
});

test("a long listing is read in parts, all of it; one definition of megabytes to its first part", async () => {
  const tools = Array.from({ length: 400 }, (_, i) => ({
    name: `tool-${i}`,
    description: "x".repeat(4_000),
  }));
  const huge = { name: "huge", inputSchema: { description: LONG } };
  const { definitions, linked, failures } = await recorded((conversation) => {
    call(conversation, 1, { name: "first" }, { result: {} });
    conversation.observe("received", { id: 2, method: "tools/list" });
    conversation.observe("sent", { id: 2, result: { tools: [...tools, huge] } });
  });
  expect(failures).toBe(0);
  expect(definitions).toHaveLength(401);
  expect(linked).toBe(401);
  expect(definitions.every(({ valid }) => valid === 1)).toBe(true);
  expect(Math.max(...definitions.map(({ bytes }) => bytes))).toBeGreaterThan(50_000_000);
});

test("a listing is read one part at a time", async () => {
  let reads = 0;
  const tools = Array.from({ length: 500 }, (_, i) => ({
    name: `tool-${i}`,
    get description() {
      reads += 1;
      return "x".repeat(20_000);
    },
  }));
  await recorded((conversation) => {
    conversation.observe("received", { id: 2, method: "tools/list" });
    conversation.observe("sent", { id: 2, result: { tools } });
    expect(reads).toBeWithin(1, 50);
  });
  expect(reads).toBeGreaterThanOrEqual(500);
});
