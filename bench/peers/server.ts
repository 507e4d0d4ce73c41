/** A stdio server whose tools have unique names, so that a sink can identify calls: `server.ts <product> <sink>`. */
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { makeServer } from "./products.ts";

const [product = "bare", sink = ""] = process.argv.slice(2);
const names = Array.from({ length: 5 }, (_, index) => `survivor_${index + 1}`);
const tool = () => ({ content: [{ type: "text" as const, text: "ok" }] });
const server = await makeServer(
  product,
  sink,
  Object.fromEntries(names.map((name) => [name, tool])),
);
await server.connect(new StdioServerTransport());
