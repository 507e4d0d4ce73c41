/**
 * Real tool calls of real MCP servers, recorded and reported: `bun run demo`.
 *
 * `demo/servers.ts` is the part to read: one server records itself, unchanged; the other one's client does.
 */
import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, ProtocolError, SdkError, SdkErrorCode } from "@modelcontextprotocol/client";
import { createAnalyticsDb } from "@toolmeter/core";
import { type PlannedCall, type PlannedServer, plan } from "./demo/calls.ts";
import { progress } from "./demo/progress.ts";
import { lastSequence, report } from "./demo/report.ts";
import { withServer } from "./demo/servers.ts";

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(name, () => interruption.abort(new Error(`Stopped by ${name}.`)));
}

try {
  await main(interruption.signal);
} catch (error) {
  progress.phase(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function main(signal: AbortSignal): Promise<void> {
  using db = createAnalyticsDb();
  const before = lastSequence(db);
  using directory = mkdtempDisposableSync(join(tmpdir(), "toolmeter-demo-"));
  for (const server of plan(directory.path)) await driveServer(server, signal);
  if (lastSequence(db) === before) {
    throw new Error("Expected to record, but TOOLMETER_DISABLED switches it off. Unset it.");
  }
  console.log(await report(db, before));
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

/** Makes a call as planned; that some fail is part of the plan. */
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
