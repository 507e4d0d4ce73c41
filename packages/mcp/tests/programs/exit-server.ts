/** A server that ends as its argument says: its exit code is its own business. */
import { writeFileSync } from "node:fs";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { instrument } from "../../src/index.ts";

const server = new McpServer({ name: "exit-server", version: "1" });
server.registerTool("echo", {}, () => ({ content: [{ type: "text", text: "hi" }] }));
server.registerTool("hang", {}, () => {
  writeFileSync(`${process.env["TOOLMETER_DB"]}.hangs`, "");
  // The event loop never gets a turn: no hook of anybody's can run.
  for (;;);
});
server.registerTool("die", {}, () => {
  process.kill(process.pid, "SIGKILL");
  return { content: [] };
});
server.registerTool("exit", {}, () => process.exit(7));
if (process.argv[2] === "instrumented") instrument(server);
process.on("exit", (code) => {
  if (code === 0 && process.argv[3]) process.exitCode = Number(process.argv[3]);
});
await server.connect(new StdioServerTransport());
