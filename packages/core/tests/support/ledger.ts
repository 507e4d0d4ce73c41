import { createAnalyticsDb } from "../../src/analytics/database/database.ts";
import {
  Importer,
  type RecordedSession,
  type RecordedToolCall,
} from "../../src/analytics/database/importer.ts";
import type { ToolDefinition } from "../../src/analytics/records/metadata.ts";

/** A moment that tests count from: 2026-11-02, 00:00 UTC. */
export const T0 = Date.UTC(2026, 10, 2);

export const SECOND = 1_000;
export const HOUR = 3_600_000;
export const DAY = 86_400_000;

/** A call; what a test does not say is unremarkable. */
type Call = Partial<RecordedToolCall> & { readonly toolName: string };

export interface Ledger {
  readonly calls?: readonly Call[];
  readonly sessions?: Readonly<Record<string, Partial<RecordedSession>>>;
  readonly definitions?: readonly (Partial<ToolDefinition> & { hash: string; seenAt?: number })[];
}

/** A database in memory that holds just that. */
export function ledger({ calls = [], sessions = {}, definitions = [] }: Ledger) {
  const db = createAnalyticsDb(":memory:");
  const importer = new Importer(db);
  for (const { seenAt = T0, hash, ...definition } of definitions) {
    const known = { toolName: hash, definition: {}, bytes: 400, tokens: 100, tokenMethod: "test" };
    importer.toolDefinition({ ...known, ...definition, hash }, seenAt);
  }
  for (const [id, session] of Object.entries(sessions)) {
    importer.session(id, { startedAt: T0, ...session });
  }
  for (const [index, call] of calls.entries()) {
    importer.toolCall({
      id: `call-${String(index).padStart(4, "0")}`,
      startedAt: T0 + index * SECOND,
      durationMs: 10,
      ...call,
    });
  }
  importer.commit();
  return db;
}
