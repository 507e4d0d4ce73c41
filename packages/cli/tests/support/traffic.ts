import { Importer, createAnalyticsDb } from "@toolmeter/core";
import { writeTraffic } from "../../src/demo/traffic.ts";

/** Makes a file with made-up traffic of the last days. */
export function trafficFile(path: string, calls = 3_000, days = 14): string {
  using db = createAnalyticsDb(path);
  writeTraffic(new Importer(db), { calls, days, until: Date.now(), seed: 7 });
  return path;
}

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

type Call = Partial<Parameters<Importer["toolCall"]>[0]> & { readonly toolName: string };

/** Makes a file with just these calls; what is not said of one is unremarkable. */
export function fileWith(path: string, calls: readonly Call[]): string {
  using db = createAnalyticsDb(path);
  const importer = new Importer(db);
  for (const [index, call] of calls.entries()) {
    importer.toolCall({
      id: `call-${index}`,
      startedAt: Date.now() - HOUR + index,
      durationMs: 10,
      ...call,
    });
  }
  importer.commit();
  return path;
}
