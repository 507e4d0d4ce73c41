/**
 * Records calls on a small disk that fills up and may get its room back, ends, and prints what it counted.
 * Arguments: the database, and the plan as JSON.
 */
import { TelemetryService, createAnalyticsDb } from "../../../src/analytics/index.ts";
import { fillUp } from "@toolmeter/testing/small-disk";

export interface Plan {
  /** Calls before the disk is full, and while it is. */
  readonly before: number;
  readonly during: number;
  /** Calls after there is room again; `null`: there never is. */
  readonly after: number | null;
  /** Length of a call's result. */
  readonly length: number;
  /** How many of ten calls are started and ended, and not recorded at once. */
  readonly started: number;
  readonly end: "exit" | "shutdown" | "shutdown and exit";
}

const [, , file = "", text = ""] = process.argv;
const plan: Plan = JSON.parse(text);

const db = createAnalyticsDb(file);
const telemetry = new TelemetryService(db, { capturePayloads: true, shutdownTimeoutMs: 300 });
let requestId = 0;

async function record(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const call = { toolName: "echo", requestId };
    const result = `${requestId}`.padEnd(plan.length, "x");
    if (requestId++ % 10 < plan.started) telemetry.startToolCall(call).end({ result });
    else telemetry.recordToolCall({ ...call, durationMs: 1, result });
    if (index % 20 === 0) await Bun.sleep(1);
  }
}

/** Listens after ours. */
process.on("exit", () => {
  const { accepted, written, queued, leftInJournal, dropped } = telemetry.stats;
  console.log(JSON.stringify({ accepted, written, queued, leftInJournal, dropped }));
});

await record(plan.before);
telemetry.startToolCall({ toolName: "slow", requestId: requestId++ });
const full = fillUp(`${file}/..`);
await record(plan.during);
telemetry.startToolCall({ toolName: "slow", requestId: requestId++ });
if (plan.after !== null) {
  full.free();
  await record(plan.after);
}
if (plan.end !== "exit") await telemetry.shutdown();
if (plan.end !== "shutdown") process.exit(0);
