/** A minimal server, to which `doctor` makes its test call. */
import { parseMessage } from "@toolmeter/mcp";

const ECHO = {
  name: "echo",
  description: "Returns its text",
  inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
};

/** Serves MCP over standard input and output until the input ends. */
export async function echoServer(): Promise<void> {
  for await (const line of console) {
    const answer = answerTo(parseMessage(line));
    if (answer !== undefined) process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

function answerTo(message: unknown): object | undefined {
  if (
    typeof message !== "object" ||
    message === null ||
    !("id" in message) ||
    !("method" in message)
  ) {
    return undefined;
  }
  const { id, method } = message;
  const result = resultOf(method, "params" in message ? message.params : undefined);
  return result === undefined
    ? { jsonrpc: "2.0", id, error: { code: -32_601, message: "Method not found" } }
    : { jsonrpc: "2.0", id, result };
}

function resultOf(method: unknown, params: unknown): object | undefined {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "toolmeter-doctor", version: "1" },
      };
    case "tools/list":
      return { tools: [ECHO] };
    case "tools/call":
      return { content: [{ type: "text", text: JSON.stringify(params) }] };
    default:
      return undefined;
  }
}
