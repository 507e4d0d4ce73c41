import { Server as ServerV1 } from "@modelcontextprotocol/sdk/server/index.js";
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js";
import {
  CallToolRequestSchema,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
} from "@modelcontextprotocol/sdk/types.js";
import { McpServer, ProtocolError, ProtocolErrorCode, Server } from "@modelcontextprotocol/server";
import { z } from "zod";
import { OUTPUTS, TOOLS, type ToolContext, type ToolName } from "./tools.ts";

const INFO = { name: "test-server", version: "1.2.3" };
const NAMES = Object.keys(TOOLS) as ToolName[];
const input = z.object({ text: z.string() });
const output = z.object({ sum: z.number() });
const schemas = (name: ToolName) => ({
  description: `Does what ${name} does`,
  ...(name === "echo" && { inputSchema: input }),
  ...(OUTPUTS.includes(name) && { outputSchema: output }),
});

/** What the low-level servers list. */
const LISTED = NAMES.map((name) => ({
  name,
  description: `Does what ${name} does`,
  inputSchema: {
    type: "object" as const,
    ...(name === "echo" && { properties: { text: { type: "string" } }, required: ["text"] }),
  },
}));

function mcpServerV1(): McpServerV1 {
  const server = new McpServerV1(INFO);
  for (const name of NAMES) {
    const run = TOOLS[name];
    server.registerTool(name, schemas(name), async (...args: unknown[]) => {
      const extra = args.at(-1) as Parameters<typeof contextV1>[0];
      return run(args[0] as { text: string }, contextV1(extra));
    });
  }
  server.registerTool("off", {}, () => ({ content: [] })).disable();
  return server;
}

function contextV1(extra: {
  signal: AbortSignal;
  sendNotification: (notification: never) => Promise<void>;
  _meta?: { progressToken?: string | number };
}): ToolContext {
  const notify = (notification: unknown) => extra.sendNotification(notification as never);
  return { signal: extra.signal, notify, progressToken: extra._meta?.progressToken };
}

function serverV1(): ServerV1 {
  const server = new ServerV1(INFO, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: LISTED }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const refuse = (message: string) => new McpError(ErrorCode.InvalidParams, message);
    return callLowLevel(params, contextV1(extra as never), refuse);
  });
  return server;
}

function mcpServerV2(): McpServer {
  const server = new McpServer(INFO, { capabilities: { tools: {} } });
  for (const name of NAMES) {
    const run = TOOLS[name];
    server.registerTool(name, schemas(name), (async (...args: unknown[]) => {
      const context = args.at(-1) as Parameters<typeof contextV2>[0];
      return run(args[0] as { text: string }, contextV2(context));
    }) as never);
  }
  server.registerTool("off", {}, () => ({ content: [] })).disable();
  return server;
}

function contextV2(context: {
  mcpReq: {
    signal: AbortSignal;
    notify: (notification: never) => Promise<void>;
    _meta?: { progressToken?: string | number };
  };
}): ToolContext {
  const { signal, notify, _meta } = context.mcpReq;
  return {
    signal,
    notify: (notification) => notify(notification as never),
    progressToken: _meta?.progressToken,
  };
}

function serverV2(): Server {
  const server = new Server(INFO, { capabilities: { tools: {} } });
  server.setRequestHandler("tools/list", () => ({ tools: LISTED }));
  server.setRequestHandler("tools/call", async ({ params }, context) => {
    const refuse = (message: string) => new ProtocolError(ProtocolErrorCode.InvalidParams, message);
    return callLowLevel(params, contextV2(context as never), refuse);
  });
  return server;
}

async function callLowLevel(
  { name, arguments: args }: { name: string; arguments?: unknown },
  context: ToolContext,
  refuse: (message: string) => Error,
) {
  const run = NAMES.includes(name as ToolName) ? TOOLS[name as ToolName] : undefined;
  if (!run) throw refuse(`Unknown tool: ${name}`);
  if (name === "echo" && !input.safeParse(args).success) throw refuse("text must be a string");
  return run(args as { text: string }, context);
}

/** Every kind of server; each makes a new one. */
export const SERVERS = {
  "v1 McpServer": mcpServerV1,
  "v1 Server": serverV1,
  "v2 McpServer": mcpServerV2,
  "v2 Server": serverV2,
} as const;

export type ServerKind = keyof typeof SERVERS;

/** What all of them have in common. */
export interface AnyServer {
  connect(transport: unknown): Promise<void>;
  close(): Promise<void>;
}

export function makeServer(kind: ServerKind): AnyServer {
  return SERVERS[kind]();
}
