import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { instrument, instrumentation } from "@toolmeter/mcp";

/** How the demo introduces itself to the servers. */
const CLIENT = { name: "toolmeter-demo", version: "0.1.0" };

/** The entry of each published server: its package's `bin`. */
const ENTRIES = {
  everything: import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"),
  filesystem: import.meta.resolve("@modelcontextprotocol/server-filesystem/dist/index.js"),
} as const;

export type ServerName = keyof typeof ENTRIES;

/** Who records: the server's process, unchanged, by `@toolmeter/mcp/auto`; or the client, instrumented. */
export type RecordedBy = "auto" | "client";

const AUTO = fileURLToPath(import.meta.resolve("@toolmeter/mcp/auto"));

export interface ServerToStart {
  readonly name: ServerName;
  readonly args: readonly string[];
  readonly recordedBy: RecordedBy;
}

const START_TIMEOUT_MS = 10_000;

/**
 * Starts a server over stdio, by the Bun that runs this program, hands its client over, and ends the
 * server in any case. What the server says on stderr is shown only if something fails.
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
    // The client would pass on no more than a few variables: the server must find the same file.
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
