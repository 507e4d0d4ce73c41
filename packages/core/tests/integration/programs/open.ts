/**
 * Opens a database and prints what happened. Arguments: a path, opened as an ordinary user (root may open
 * anything, so root becomes nobody), or "" for the default path; and the platform to pretend.
 */
import { createAnalyticsDb } from "../../../src/analytics/index.ts";
import { describeFailure } from "../../support/failure.ts";
import { NOBODY } from "../../support/nobody.ts";

const [path, platform] = process.argv.slice(2);
if (platform) Object.defineProperty(process, "platform", { value: platform });
if (path && process.getuid?.() === 0) {
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}
process.stdout.write(JSON.stringify(open()));

function open() {
  try {
    using db = createAnalyticsDb(path || undefined);
    return { path: db.path, journalMode: db.journalMode };
  } catch (error) {
    return describeFailure(error);
  }
}
