/**
 * Opens the database that the argument names, as an ordinary user, and prints what happened. Root may
 * open anything, so root becomes nobody first.
 */
import { createAnalyticsDb } from "../../../src/analytics/index.ts";
import { describeFailure } from "../../support/failure.ts";
import { becomeNobody } from "../../support/nobody.ts";

const [path] = process.argv.slice(2);
becomeNobody();
process.stdout.write(JSON.stringify(open()));

function open() {
  try {
    using db = createAnalyticsDb(path);
    return { path: db.path, journalMode: db.journalMode };
  } catch (error) {
    return describeFailure(error);
  }
}
