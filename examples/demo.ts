/**
 * Makes tool calls to real MCP servers, records them and prints the report: `npm run demo`. Records into `demo.db` in
 * the user's data directory, or into `TOOLMETER_DB`.
 *
 * Start with `demo/servers.ts`: the first server records itself without a change to its code, and the second one is
 * recorded by its client.
 */
import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Client, ProtocolError, SdkError, SdkErrorCode } from "@modelcontextprotocol/client";
import { createAnalyticsDb, errorMessage, toolCalls } from "@toolmeter/core";
import { databasePath } from "@toolmeter/core/queries";
import { type PlannedCall, type PlannedServer, plan } from "./demo/calls.ts";
import { progress } from "./demo/progress.ts";
import { withServer } from "./demo/servers.ts";

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(name, () => interruption.abort(new Error(`Stopped by ${name}.`)));
}

const TOOLMETER = fileURLToPath(import.meta.resolve("@toolmeter/cli/src/toolmeter.ts"));

try {
  await main(interruption.signal);
} catch (error) {
  progress.phase(errorMessage(error));
  process.exitCode = 1;
}

async function main(signal: AbortSignal): Promise<void> {
  // Not the user's file: sample calls must not mix with real ones.
  const path = (process.env["TOOLMETER_DB"] ||= join(dirname(databasePath()), "demo.db"));
  const before = await countCalls();
  using directory = mkdtempDisposableSync(join(tmpdir(), "toolmeter-demo-"));
  for (const server of plan(directory.path)) await driveServer(server, signal);
  const calls = (await countCalls()) - before;
  if (calls === 0) {
    throw new Error("Expected to record, but TOOLMETER_DISABLED switches it off. Unset it.");
  }
  const report = Bun.spawn(
    [process.execPath, TOOLMETER, "report", "--since", "all", "--db", path],
    {
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
  if ((await report.exited) !== 0) throw new Error("Expected a report, but toolmeter failed.");
  progress.phase(`
${calls} calls were added to this file. To query it further:
  export TOOLMETER_DB=${Bun.$.escape(path)}
  npm run -s toolmeter -- errors`);
}

async function countCalls(): Promise<number> {
  using db = createAnalyticsDb();
  return await db.$count(toolCalls);
}

function driveServer(server: PlannedServer, signal: AbortSignal): Promise<void> {
  progress.phase(`Starting the server "${server.name}"`);
  return withServer(server, signal, async (client) => {
    progress.phase(`Making ${server.calls.length} calls`);
    for (const [index, call] of server.calls.entries()) {
      progress.now(`${index + 1} of ${server.calls.length}: ${call.name}`);
      await makeCall(client, call, signal);
    }
  });
}

/** Makes a planned call. Some of them fail on purpose. */
async function makeCall(
  client: Client,
  { cancelAfterMs, timeoutMs = 10_000, ...request }: PlannedCall,
  interrupted: AbortSignal,
): Promise<void> {
  const signals = cancelAfterMs === undefined ? [] : [abortAfter(cancelAfterMs)];
  try {
    await client.callTool(request, {
      signal: AbortSignal.any([interrupted, ...signals]),
      timeout: timeoutMs,
      onprogress: ({ progress: step, total }) =>
        progress.now(`${request.name}: ${step} of ${total}`),
    });
  } catch (error) {
    const isPlanned =
      error instanceof ProtocolError ||
      (error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout);
    if (!isPlanned) throw error;
  }
  interrupted.throwIfAborted();
}

function abortAfter(delayMs: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort("stopped by the user"), delayMs);
  return controller.signal;
}
