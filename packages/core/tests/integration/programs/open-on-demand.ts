/** Opens and closes the file that each message names, and answers with the error or null. Ends with its parent. */
import { createAnalyticsDb } from "../../../src/analytics/index.ts";

process.on("message", (file: string) => process.send?.(open(file)));
process.send?.("ready");

function open(file: string): string | null {
  try {
    using db = createAnalyticsDb(file);
    return db.journalMode === "wal" ? null : `journal mode ${db.journalMode}`;
  } catch (error) {
    return String(error);
  }
}
