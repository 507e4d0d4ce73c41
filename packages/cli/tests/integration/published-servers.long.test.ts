/** Servers as they are published, behind the recorder: they answer as they do without it, and every call is there. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { latestSessions, openAnalyticsReader, streamCalls } from "@toolmeter/core/queries";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const TOOLMETER = join(import.meta.dir, "../../src/toolmeter.ts");

interface PublishedServer {
  readonly entry: string;
  readonly args?: (directory: string) => readonly string[];
  readonly era?: string;
  readonly calls: readonly { name: string; arguments?: Record<string, unknown> }[];
  readonly expected: readonly string[];
}

const SERVERS: Record<string, PublishedServer> = {
  everything: {
    entry: "@modelcontextprotocol/server-everything/dist/index.js",
    calls: [
      { name: "echo", arguments: { message: "hi 你好" } },
      { name: "get-tiny-image" },
      { name: "get-sum", arguments: { a: 1, b: "two" } },
    ],
    expected: ["echo success", "get-tiny-image success", "get-sum rejected"],
  },
  filesystem: {
    entry: "@modelcontextprotocol/server-filesystem/dist/index.js",
    args: (directory) => [directory],
    calls: [
      { name: "list_allowed_directories" },
      { name: "read_text_file", arguments: { path: "/outside.txt" } },
    ],
    expected: ["list_allowed_directories success", "read_text_file error"],
  },
  memory: {
    entry: "@modelcontextprotocol/server-memory/dist/index.js",
    calls: [{ name: "read_graph" }, { name: "no_such_tool" }],
    expected: ["read_graph success", "no_such_tool rejected"],
  },
  "sequential-thinking": {
    entry: "@modelcontextprotocol/server-sequential-thinking/dist/index.js",
    calls: [
      {
        name: "sequentialthinking",
        arguments: { thought: "a", nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
      },
    ],
    expected: ["sequentialthinking success"],
  },
  "context7 of 2025": {
    entry: "@upstash/context7-mcp/dist/index.js",
    calls: [{ name: "query-docs", arguments: {} }],
    expected: ["query-docs rejected"],
  },
  "context7 of 2026": {
    entry: "@upstash/context7-mcp/dist/index.js",
    era: "2026-07-28",
    calls: [{ name: "query-docs", arguments: {} }, { name: "no_such_tool" }],
    expected: ["query-docs rejected", "no_such_tool rejected"],
  },
};

describe.each(Object.entries(SERVERS))("%s", (_name, { entry, args, era, calls, expected }) => {
  async function answers(directory: string, words: readonly string[], path: string) {
    const [command = "", ...others] = [
      ...words,
      process.execPath,
      Bun.fileURLToPath(import.meta.resolve(entry)),
      ...(args?.(directory) ?? []),
    ];
    const transport = new StdioClientTransport({
      command,
      args: others,
      env: {
        ...(process.env as Record<string, string>),
        TOOLMETER_DB: path,
        MEMORY_FILE_PATH: join(directory, "memory.jsonl"),
      },
      stderr: "pipe",
    });
    let stderr = "";
    transport.stderr?.on("data", (chunk) => (stderr += String(chunk)));
    const client = new Client(
      { name: "test-client", version: "9" },
      era ? { versionNegotiation: { mode: { pin: era } } } : {},
    );
    await client.connect(transport);
    const seen: unknown[] = [(await client.listTools()).tools];
    for (const call of calls) {
      seen.push(await client.callTool(call).catch((error: unknown) => String(error)));
    }
    await client.close();
    return { seen, stderr };
  }

  test("answers the same, and is recorded", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const direct = await answers(directory.path, [], path);
    const recorded = await answers(directory.path, [process.execPath, TOOLMETER, "record"], path);
    expect(recorded).toEqual(direct);
    using source = await openAnalyticsReader(path);
    const rows = [...streamCalls(source, {})];
    expect(rows.map(({ tool_name, status }) => `${tool_name} ${status}`)).toEqual([...expected]);
    for (const row of rows) {
      expect(row).toMatchObject({
        client_name: "test-client",
        protocol_version: era ?? "2025-11-25",
      });
    }
    // The client of 2026 asks a copy of the server first, and discards it.
    expect(latestSessions(source, {}, -1)).toHaveLength(1);
  }, 30_000);
});
