/** An application on the published name: records one call, tells what it did, and ends. */
import { TelemetryService, createAnalyticsDb } from "@toolmeter/core";

using db = createAnalyticsDb();
await using telemetry = new TelemetryService(db);
telemetry.recordToolCall({ toolName: "echo", durationMs: 1, sessionId: "s" });
const { outcome } = await telemetry.flush();
process.stdout.write(JSON.stringify({ path: db.path, journalMode: db.journalMode, outcome }));
