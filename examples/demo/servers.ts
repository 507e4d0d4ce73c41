import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { instrument, instrumentation } from "@toolmeter/mcp";

/** The client name that the servers receive. */
const CLIENT = { name: "toolmeter-demo", version: "0.1.0" };

/** The program of each published server: the `bin` of its package. */
const ENTRIES = {
  everything: import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"),
  filesystem: import.meta.resolve("@modelcontextprotocol/server-filesystem/dist/index.js"),
} as const;

export type ServerName = keyof typeof ENTRIES;

/** Who records: the unchanged server, with `@toolmeter/mcp/auto`, or the instrumented client. */
export type RecordedBy = "auto" | "client";

const AUTO = fileURLToPath(import.meta.resolve("@toolmeter/mcp/auto"));

export interface ServerToStart {
  readonly name: ServerName;
  readonly args: readonly string[];
  readonly recordedBy: RecordedBy;
}

const START_TIMEOUT_MS = 10_000;

/**
 * Starts a stdio server with the Bun that runs this program, passes a connected client to `use`, and always ends the
 * server. Shows the server's stderr only if something fails.
 */
export async function withServer<T>(
  { name, args, recordedBy }: ServerToStart,
  signal: AbortSignal,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [
      ...(recordedBy === "auto" ? ["--preload", AUTO] : []),
      fileURLToPath(ENTRIES[name]),
      ...args,
    ],
    // The client passes only a few variables by default, and the server needs TOOLMETER_DB.
    env: definedVariables(),
    stderr: "pipe",
  });
  let said = "";
  transport.stderr?.on("data", (text) => (said += String(text)));
  const client = new Client(CLIENT);
  if (recordedBy === "client") instrument(client);
  try {
    await client.connect(transport, { signal, timeout: START_TIMEOUT_MS });
    return await use(client);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const reason = error instanceof Error ? error.message : String(error);
    const message = `Expected the server "${name}" to start and stay up, but: ${reason}.\n${said}`;
    throw new Error(message.trim(), { cause: error });
  } finally {
    await client.close();
    await instrumentation(client)?.shutdown();
  }
}

function definedVariables(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
}
