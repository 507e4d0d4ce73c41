import { TelemetryService, createAnalyticsDb, toolDaily } from "@toolmeter/core";

using db = createAnalyticsDb(); // $TOOLMETER_DB, or a file in your data directory
await using telemetry = new TelemetryService(db);

telemetry.startSession("session-1", { clientName: "my-agent", serverName: "my-server" });
telemetry.recordToolCall({ sessionId: "session-1", toolName: "search", durationMs: 12.5 });
telemetry.recordToolCall({ sessionId: "session-1", toolName: "search", durationMs: 48.1 });
telemetry.recordToolCall({
  sessionId: "session-1",
  toolName: "fetch",
  durationMs: 3_000,
  status: "timeout",
  errorMessage: "No answer within 3 s",
});
telemetry.endSession("session-1");

await telemetry.flush(); // now; without it within 5 s, and at the latest when `telemetry` is disposed of
const tools = db.select().from(toolDaily).all(); // Drizzle: one typed row for each tool and day
console.table(tools, ["day", "toolName", "calls", "failures", "maxDurationMs"]);
