import { createMcpHandler } from "@modelcontextprotocol/server";
import { instrument } from "@toolmeter/mcp";
import { makeServer } from "./weather.ts";

const handler = createMcpHandler(instrument(makeServer));
const server = Bun.serve({ fetch: (request) => handler.fetch(request) });
console.log(`Listening on ${server.url.href}`);
