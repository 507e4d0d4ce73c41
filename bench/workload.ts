/** The calls that every benchmark records, and a temporary database. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AnalyticsDb, type ToolCallMetadata, createAnalyticsDb } from "@toolmeter/core";

export const BATCH_SIZE = 50;

/** Returns a call as instrumentation reports it: 14 fields, one of 40 tools. */
export function call(i: number) {
  return {
    toolName: `tool_${(i * 7919) % 40}`,
    sessionId: `session-${i >> 10}`,
    durationMs: (i * 7919) % 1000,
    startedAt: Date.UTC(2026, 0, 1) + i * 3,
    status: i % 20 === 0 ? "error" : "success",
    inputBytes: 120,
    outputBytes: 400,
    requestId: i,
    clientName: "claude",
    clientVersion: "1.0.0",
    serverName: "files",
    serverVersion: "2.0.0",
    protocolVersion: "2025-06-18",
    transport: "stdio",
  } as const satisfies ToolCallMetadata;
}

/** Runs a measurement with a new database file, which is removed afterwards. */
export async function withDatabase<T>(use: (db: AnalyticsDb) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "toolmeter-bench-"));
  const db = createAnalyticsDb(join(directory, "bench.db"));
  try {
    return await use(db);
  } finally {
    db.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
