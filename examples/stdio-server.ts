import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { instrument } from "@toolmeter/mcp";
import { makeServer } from "./weather.ts";

serveStdio(instrument(makeServer));
