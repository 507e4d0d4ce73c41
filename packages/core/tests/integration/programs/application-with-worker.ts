/** The same application as `application.ts`, built together with the writer's program. */
import { TelemetryService, createAnalyticsDb } from "@toolmeter/core";

const isBundle = import.meta.path.endsWith(".js");
const worker = new URL(isBundle ? "./writer.worker.js" : "./writer.worker.ts", import.meta.url);

using db = createAnalyticsDb();
await using telemetry = new TelemetryService(db, { worker });
telemetry.recordToolCall({ toolName: "echo", durationMs: 1, sessionId: "s" });
const { outcome } = await telemetry.flush();
process.stdout.write(JSON.stringify({ path: db.path, journalMode: db.journalMode, outcome }));
