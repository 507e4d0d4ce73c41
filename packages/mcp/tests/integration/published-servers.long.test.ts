/** Servers as they are published, unchanged, under `auto`: they answer as they do without it, and are recorded. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { ledger } from "../support/ledger.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const AUTO = join(import.meta.dir, "../../src/attaching/auto.ts");

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
  context7: {
    entry: "@upstash/context7-mcp/dist/index.js",
    era: "2026-07-28",
    // Those that answer without a network.
    calls: [{ name: "query-docs", arguments: {} }, { name: "no_such_tool" }],
    expected: ["query-docs rejected invalid_arguments", "no_such_tool rejected unknown_tool"],
  },
};

describe.each(Object.entries(SERVERS))("%s", (_name, { entry, args, era, calls, expected }) => {
  async function answers(directory: string, preload: readonly string[], path: string) {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [
        ...preload,
        Bun.fileURLToPath(import.meta.resolve(entry)),
        ...(args?.(directory) ?? []),
      ],
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
    const plain = await answers(directory.path, [], path);
    const auto = await answers(directory.path, ["--preload", AUTO], path);
    expect(auto).toEqual(plain);
    const { calls: rows, sessions } = ledger(path);
    expect(
      rows.map(({ toolName, status, errorType }) => `${toolName} ${status} ${errorType ?? "-"}`),
    ).toEqual([...expected]);
    for (const row of rows) {
      expect(row).toMatchObject({
        clientName: "test-client",
        serverName: expect.any(String),
        transport: "stdio",
        protocolVersion: era ?? "2025-11-25",
        definitionHash: row.toolName === "no_such_tool" ? null : expect.any(String),
      });
    }
    // The client of 2026 asks a copy of the server first, and discards it.
    expect(sessions).toHaveLength(1);
  }, 30_000);
});
