/**
 * Records five calls, one of them in flight, and ends in the way that the second argument names. The first
 * is the file. A host that handles signals itself says so on stderr.
 */
import { TelemetryService, createAnalyticsDb } from "../../../src/analytics/index.ts";

const [file, way] = process.argv.slice(2);
const db = createAnalyticsDb(file);
const telemetry = new TelemetryService(db);

telemetry.startSession("s");
for (let index = 0; index < 5; index += 1) {
  telemetry.recordToolCall({ toolName: "echo", durationMs: 1, sessionId: "s", requestId: index });
}
telemetry.startToolCall({ toolName: "slow", sessionId: "s" });

const WAYS: Record<string, () => unknown> = {
  "natural end": () => undefined,
  "end of stdin": () => process.stdin.resume(),
  "process.exit": () => process.exit(7),
  "uncaught throw": () => {
    throw new Error("thrown");
  },
  "unhandled rejection": () => void Promise.reject(new Error("rejected")),
  "exit inside a transaction": () =>
    db.transaction((transaction) => {
      transaction.run("create table half_done (a)");
      process.exit(7);
    }),
  "await using": async () => {
    await using _ = telemetry;
  },
  "process.exit in the middle of shutdown()": () => {
    void telemetry.shutdown();
    process.exit(7);
  },
  "SIGTERM in the middle of shutdown()": () => {
    void telemetry.shutdown();
    process.kill(process.pid, "SIGTERM");
    return setInterval(() => undefined, 1_000);
  },
  signal: () => setInterval(() => undefined, 1_000),
  "signal, handled by the host": () => {
    process.on("SIGTERM", () => {
      process.stderr.write("host");
      process.exit(3);
    });
    return setInterval(() => undefined, 1_000);
  },
  "signal, survived by the host": () => {
    process.once("SIGTERM", () => setImmediate(() => process.stderr.write("host")));
    return setInterval(() => undefined, 1_000);
  },
};

process.stdout.write("ready");
await WAYS[way ?? ""]?.();
