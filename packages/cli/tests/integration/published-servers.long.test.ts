/** Published servers, unchanged: whether they are recorded from inside or outside, they answer as without it. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { latestSessions, openAnalyticsReader, streamCalls } from "@toolmeter/core/queries";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const TOOLMETER = join(import.meta.dir, "../../src/toolmeter.ts");
const fileOf = (module: string) => Bun.fileURLToPath(import.meta.resolve(module));

/** What precedes the file of a server in its command. */
const PLAIN = [process.execPath];
const RECORDED = {
  "under auto": [process.execPath, "--preload", fileOf("@toolmeter/mcp/auto")],
  "behind the recorder": [process.execPath, TOOLMETER, "record", process.execPath],
};

interface PublishedServer {
  readonly entry: string;
  readonly args?: (directory: string) => readonly string[];
  readonly era?: string;
  readonly calls: readonly { name: string; arguments?: Record<string, unknown> }[];
  readonly expected: readonly string[];
}

const CONTEXT7 = "@upstash/context7-mcp/dist/index.js";

const SERVERS: Record<string, PublishedServer> = {
  everything: {
    entry: "@modelcontextprotocol/server-everything/dist/index.js",
    calls: [
      { name: "echo", arguments: { message: "hi 你好" } },
      { name: "get-tiny-image" },
      { name: "get-sum", arguments: { a: 1, b: "two" } },
      { name: "get-structured-content", arguments: { location: "Chicago" } },
      { name: "trigger-long-running-operation", arguments: { duration: 0.05, steps: 2 } },
    ],
    expected: [
      "echo success -",
      "get-tiny-image success -",
      "get-sum rejected invalid_arguments",
      "get-structured-content success -",
      "trigger-long-running-operation success -",
    ],
  },
  filesystem: {
    entry: "@modelcontextprotocol/server-filesystem/dist/index.js",
    args: (directory) => [directory],
    calls: [
      { name: "list_allowed_directories" },
      { name: "read_text_file", arguments: { path: "/outside.txt" } },
      { name: "no_such_tool" },
    ],
    expected: [
      "list_allowed_directories success -",
      "read_text_file error tool_error",
      "no_such_tool rejected unknown_tool",
    ],
  },
  memory: {
    entry: "@modelcontextprotocol/server-memory/dist/index.js",
    calls: [{ name: "read_graph" }, { name: "search_nodes", arguments: { query: "x" } }],
    expected: ["read_graph success -", "search_nodes success -"],
  },
  "sequential-thinking": {
    entry: "@modelcontextprotocol/server-sequential-thinking/dist/index.js",
    calls: [
      {
        name: "sequentialthinking",
        arguments: { thought: "a", nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
      },
    ],
    expected: ["sequentialthinking success -"],
  },
  // Only calls that are answered without a network.
  "context7 (2025-11-25)": {
    entry: CONTEXT7,
    calls: [{ name: "query-docs", arguments: {} }],
    expected: ["query-docs rejected invalid_arguments"],
  },
  "context7 (2026-07-28)": {
    entry: CONTEXT7,
    era: "2026-07-28",
    calls: [{ name: "query-docs", arguments: {} }, { name: "no_such_tool" }],
    expected: ["query-docs rejected invalid_arguments", "no_such_tool rejected unknown_tool"],
  },
};

/** What a client gets for all calls, and what the server writes to standard error. */
async function answers(words: readonly string[], server: PublishedServer, directory: string) {
  const [command = "", ...args] = words;
  const transport = new StdioClientTransport({
    command,
    args: [...args, fileOf(server.entry), ...(server.args?.(directory) ?? [])],
    env: {
      ...(process.env as Record<string, string>),
      TOOLMETER_DB: join(directory, "a.db"),
      MEMORY_FILE_PATH: join(directory, "memory.jsonl"),
    },
    stderr: "pipe",
  });
  let stderr = "";
  transport.stderr?.on("data", (chunk) => (stderr += String(chunk)));
  const client = new Client(
    { name: "test-client", version: "9" },
    server.era ? { versionNegotiation: { mode: { pin: server.era } } } : {},
  );
  await client.connect(transport);
  const seen: unknown[] = [(await client.listTools()).tools];
  for (const call of server.calls) {
    seen.push(await client.callTool(call).catch((error: unknown) => String(error)));
  }
  await client.close();
  return { seen, stderr };
}

describe.each(Object.entries(SERVERS))("%s", (_name, server) => {
  test.each(Object.entries(RECORDED))(
    "%s answers the same, and is recorded",
    async (_way, words) => {
      using directory = temporaryDirectory();
      const plain = await answers(PLAIN, server, directory.path);
      expect(await answers(words, server, directory.path)).toEqual(plain);
      using source = await openAnalyticsReader(directory.file("a.db"));
      const rows = [...streamCalls(source, {})];
      expect(rows.map((row) => `${row.tool_name} ${row.status} ${row.error_type ?? "-"}`)).toEqual([
        ...server.expected,
      ]);
      for (const row of rows) {
        expect(row).toMatchObject({
          client_name: "test-client",
          server_name: expect.any(String),
          transport: "stdio",
          protocol_version: server.era ?? "2025-11-25",
          definition_hash: row.tool_name === "no_such_tool" ? null : expect.any(String),
        });
      }
      // The client of 2026 asks a copy of the server first, and discards it.
      expect(latestSessions(source, {}, -1)).toHaveLength(1);
    },
    30_000,
  );
});
