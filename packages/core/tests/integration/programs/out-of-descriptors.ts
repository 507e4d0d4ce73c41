/**
 * Records 60 calls while almost all descriptors of the process are taken, and one more when they are free again. Prints
 * the outcome of the first flush, what remains after the shutdown, and how many were written. Arguments: the file, how
 * many descriptors are left.
 */
import { TelemetryService } from "../../../src/analytics/index.ts";
import { takeDescriptors } from "../../support/few-descriptors.ts";

const [file, left] = process.argv.slice(2);
const free = takeDescriptors(Number(left));
const telemetry = new TelemetryService(file);
for (let count = 0; count < 60; count += 1) record();
const { outcome } = await telemetry.flush();
free();
record();
const { remaining } = await telemetry.shutdown();
process.stdout.write(JSON.stringify({ outcome, remaining, written: telemetry.stats.written }));

function record(): void {
  telemetry.recordToolCall({ toolName: "echo", durationMs: 1 });
}
