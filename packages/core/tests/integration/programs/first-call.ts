/**
 * For each file that a message names: begins a service on it, records calls at once and for some milliseconds, shuts
 * down, and answers with what was accepted. Ends with its parent. With the argument `nobody` it has no rights of root.
 */
import { TelemetryService } from "../../../src/analytics/index.ts";
import { becomeNobody } from "../../support/nobody.ts";

interface Task {
  readonly file: string;
  readonly milliseconds: number;
}

if (process.argv[2] === "nobody") becomeNobody();
process.on("message", (task: Task) => void perform(task));
process.send?.("ready");

async function perform({ file, milliseconds }: Task): Promise<void> {
  const telemetry = new TelemetryService(file);
  const record = () => telemetry.recordToolCall({ toolName: "first", durationMs: 1 });
  record();
  for (const end = performance.now() + milliseconds; performance.now() < end; record())
    await Bun.sleep(25);
  await telemetry.shutdown();
  const { accepted, dropped, unjournaled } = telemetry.stats;
  process.send?.({
    accepted,
    dropped: Object.values(dropped).reduce((a, b) => a + b),
    unjournaled,
  });
}
