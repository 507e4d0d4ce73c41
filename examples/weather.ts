import { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";

/** An ordinary small server. Nothing in it refers to Toolmeter. */
export function makeServer(): McpServer {
  const server = new McpServer({ name: "weather", version: "1.0.0" });
  const inputSchema = z.object({ city: z.string() });
  server.registerTool(
    "forecast",
    { description: "Tomorrow's weather", inputSchema },
    ({ city }) => {
      if (city === "Atlantis") throw new Error("No station answers from Atlantis");
      return { content: [{ type: "text", text: `Sunny in ${city}` }] };
    },
  );
  return server;
}
