/**
 * Real tool calls of real MCP servers, recorded and reported: `bun run demo`.
 *
 * `demo/recorded-session.ts` is the part to read: how a host records its calls by hand.
 */
import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProtocolError, SdkError, SdkErrorCode } from "@modelcontextprotocol/client";
import { type AnalyticsDb, TelemetryService, createAnalyticsDb } from "@toolmeter/core";
import { type PlannedCall, type PlannedServer, plan } from "./demo/calls.ts";
import { progress } from "./demo/progress.ts";
import { RecordedSession } from "./demo/recorded-session.ts";
import { report } from "./demo/report.ts";
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
  const sessionIds = await recordServers(db, signal);
  console.log(await report(db, sessionIds));
}

/** Drives the servers and returns the ids of their sessions, when everything is written. */
async function recordServers(db: AnalyticsDb, signal: AbortSignal): Promise<string[]> {
  await using telemetry = new TelemetryService(db);
  using directory = mkdtempDisposableSync(join(tmpdir(), "toolmeter-demo-"));
  const sessionIds: string[] = [];
  for (const server of plan(directory.path)) {
    sessionIds.push(await recordServer(telemetry, server, signal));
  }
  progress.phase("Writing");
  const { remaining } = await telemetry.shutdown();
  if (remaining > 0) throw new Error(`${remaining} records could not be written to ${db.path}.`);
  if (telemetry.stats.written === 0) {
    throw new Error("Expected to record, but TOOLMETER_DISABLED switches it off. Unset it.");
  }
  return sessionIds;
}

function recordServer(
  telemetry: TelemetryService,
  { name, args, calls }: PlannedServer,
  signal: AbortSignal,
): Promise<string> {
  progress.phase(`Starting the server "${name}"`);
  return withServer(name, args, signal, async (client) => {
    progress.phase(`Making ${calls.length} calls`);
    using session = new RecordedSession(telemetry, client);
    for (const [index, call] of calls.entries()) {
      progress.now(`${index + 1} of ${calls.length}: ${call.name}`);
      await makeCall(session, call, signal);
    }
    return session.id;
  });
}

/** Makes a call as planned; that some fail is part of the plan. */
async function makeCall(
  session: RecordedSession,
  { cancelAfterMs, timeoutMs = 10_000, ...request }: PlannedCall,
  interrupted: AbortSignal,
): Promise<void> {
  const signals = cancelAfterMs === undefined ? [] : [abortAfter(cancelAfterMs)];
  try {
    await session.callTool(request, {
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
