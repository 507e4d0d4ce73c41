import { TelemetryService, createAnalyticsDb, toolDaily } from "@toolmeter/core";

using db = createAnalyticsDb(); // $TOOLMETER_DB, or a file in your data directory
await using telemetry = new TelemetryService(db);

const sessionId = crypto.randomUUID();
telemetry.startSession(sessionId, { clientName: "my-agent", serverName: "my-server" });
telemetry.recordToolCall({ sessionId, toolName: "search", durationMs: 12.5 });
telemetry.recordToolCall({ sessionId, toolName: "search", durationMs: 48.1 });
telemetry.recordToolCall({
  sessionId,
  toolName: "fetch",
  durationMs: 3_000,
  status: "timeout",
  errorMessage: "No answer within 3 s",
});
telemetry.endSession(sessionId);

await telemetry.flush(); // now; without it within 5 s, and at the latest when `telemetry` is disposed of
const tools = db.select().from(toolDaily).all(); // Drizzle: one typed row for each tool and day
console.table(tools, ["day", "toolName", "calls", "failures", "maxDurationMs"]);
