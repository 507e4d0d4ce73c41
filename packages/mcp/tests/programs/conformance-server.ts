/** A server for the conformance suite, in sessions over HTTP: `conformance-server.ts <v1|v2> <plain|instrumented>`. */
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js";
import { WebStandardStreamableHTTPServerTransport as HttpV1 } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { McpServer, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { z } from "zod";
import { instrument } from "../../src/index.ts";

const [generation, how] = process.argv.slice(2);
const INFO = { name: "conformance-server", version: "1" };
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";

const text = (said: string) => ({ type: "text" as const, text: said });
const image = { type: "image" as const, data: PNG, mimeType: "image/png" };
const resource = (uri: string) => ({
  type: "resource" as const,
  resource: { uri, mimeType: "text/plain", text: "This is an embedded resource content." },
});

/** The tools that the suite calls and that answer by themselves, by the names that it knows. */
const ANSWERS = {
  test_simple_text: { content: [text("This is a simple text response for testing.")] },
  test_image_content: { content: [image] },
  test_audio_content: { content: [{ type: "audio" as const, data: WAV, mimeType: "audio/wav" }] },
  test_embedded_resource: { content: [resource("test://embedded-resource")] },
  test_multiple_content_types: {
    content: [
      text("Multiple content types test:"),
      image,
      resource("test://mixed-content-resource"),
    ],
  },
};

function makeV1() {
  const server = new McpServerV1(INFO, { capabilities: { tools: {}, logging: {} } });
  for (const [name, answer] of Object.entries(ANSWERS))
    server.registerTool(name, { description: name }, () => answer);
  server.registerTool("test_error_handling", { description: "Fails" }, () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
  server.registerTool("test_tool_with_progress", { description: "Progresses" }, async (extra) => {
    const progressToken = extra._meta?.progressToken ?? 0;
    for (const progress of [0, 50, 100])
      await extra.sendNotification({
        method: "notifications/progress",
        params: { progressToken, progress, total: 100 },
      });
    return { content: [text(String(progressToken))] };
  });
  const elicitation = { message: z.string() };
  server.registerTool("test_elicitation", { inputSchema: elicitation }, async ({ message }) => {
    const asked = await server.server.elicitInput({ message, requestedSchema: SCHEMA });
    return { content: [text(`User response: ${JSON.stringify(asked)}`)] };
  });
  return server;
}

const SCHEMA = {
  type: "object" as const,
  properties: {
    username: { type: "string" as const, description: "User's response" },
    email: { type: "string" as const, description: "User's email address" },
  },
  required: ["username", "email"],
};

function makeV2() {
  const server = new McpServer(INFO, { capabilities: { tools: {}, logging: {} } });
  for (const [name, answer] of Object.entries(ANSWERS))
    server.registerTool(name, { description: name }, () => answer);
  server.registerTool("test_error_handling", { description: "Fails" }, () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
  server.registerTool("test_tool_with_progress", { description: "Progresses" }, async (context) => {
    const progressToken = context.mcpReq._meta?.progressToken ?? 0;
    for (const progress of [0, 50, 100])
      await context.mcpReq.notify({
        method: "notifications/progress",
        params: { progressToken, progress, total: 100 },
      });
    return { content: [text(String(progressToken))] };
  });
  const elicitation = z.object({ message: z.string() });
  server.registerTool("test_elicitation", { inputSchema: elicitation }, async ({ message }) => {
    const asked = await server.server.elicitInput({ message, requestedSchema: SCHEMA });
    return { content: [text(`User response: ${JSON.stringify(asked)}`)] };
  });
  return server;
}

const transports = new Map<string, HttpV1 | WebStandardStreamableHTTPServerTransport>();

async function open(): Promise<HttpV1 | WebStandardStreamableHTTPServerTransport> {
  const options = {
    sessionIdGenerator: () => crypto.randomUUID(),
    onsessioninitialized: (id: string) => void transports.set(id, transport),
  };
  const isV1 = generation === "v1";
  const transport = isV1
    ? new HttpV1(options)
    : new WebStandardStreamableHTTPServerTransport(options);
  const server = isV1 ? makeV1() : makeV2();
  if (how === "instrumented") instrument(server);
  await server.connect(transport);
  return transport;
}

const http = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 0,
  async fetch(request) {
    const known = transports.get(request.headers.get("mcp-session-id") ?? "");
    return (known ?? (await open())).handleRequest(request);
  },
});
process.stdout.write(`${http.url.href}\n`);
