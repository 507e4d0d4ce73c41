/** A server on standard input and output: `stdio-server.ts <kind> <plain|instrumented|wire>`. */
import { StdioServerTransport as StdioV1 } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { instrument } from "../../src/index.ts";
import { SERVERS, type ServerKind, makeServer } from "../support/servers.ts";

const [kind = "", how = ""] = process.argv.slice(2);
const isInstrumented = how === "instrumented";

if (kind === "v2 serveStdio") {
  const make = () => SERVERS["v2 McpServer"]();
  serveStdio(isInstrumented ? instrument(make) : make, {
    ...(how === "wire" && { transport: instrument(new StdioServerTransport()) }),
  });
} else {
  const server = makeServer(kind as ServerKind);
  if (isInstrumented) instrument(server);
  await server.connect(kind.startsWith("v1") ? new StdioV1() : new StdioServerTransport());
}
