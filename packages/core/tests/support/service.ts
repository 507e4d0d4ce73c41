import {
  TelemetryService,
  type TelemetryConfig,
  type TelemetryRecord,
  type ToolCallMetadata,
  type Writer,
  createAnalyticsDb,
} from "../../src/analytics/index.ts";
import { memoryLogger } from "./memory-logger.ts";

/** The time at which tests with fake timers start. */
export const START = Date.UTC(2026, 0, 1);

export const CALL: ToolCallMetadata = { toolName: "echo", durationMs: 1.5 };

/** A writer that keeps the batches, and fails the next `failures` times. */
class MemoryWriter implements Writer {
  readonly batches: TelemetryRecord[][] = [];
  failures = 0;

  async write(batch: readonly TelemetryRecord[]) {
    if (this.failures-- > 0) throw new Error("the sink is down");
    this.batches.push([...batch]);
    return [];
  }

  get sizes(): number[] {
    return this.batches.map((batch) => batch.length);
  }

  get toolNames(): string[] {
    return this.batches.flat().flatMap((r) => (r.kind === "tool_call" ? [r.row.toolName] : []));
  }
}

/** A service that writes into memory. */
export function serviceOnMemoryWriter(config: TelemetryConfig = {}) {
  const writer = new MemoryWriter();
  const logger = memoryLogger();
  const telemetry = new TelemetryService(createAnalyticsDb(":memory:"), {
    writer,
    logger,
    ...config,
  });
  const record = (count: number) => {
    for (let i = 0; i < count; i++) telemetry.recordToolCall(CALL);
  };
  return { telemetry, writer, logger, record };
}

/** A service on a database in memory. */
export function serviceOnSqlite(config: TelemetryConfig = {}) {
  const db = createAnalyticsDb(":memory:");
  const logger = memoryLogger();
  return { db, logger, telemetry: new TelemetryService(db, { logger, ...config }) };
}
