/** Reads a file that may only be read, and tries to write it. Root may write anything, so it becomes nobody first. */
import { countCalls, openAnalyticsReader } from "../../../src/analytics/queries/index.ts";
import { becomeNobody } from "../../support/nobody.ts";

const path = process.argv[2];
becomeNobody();
using source = await openAnalyticsReader(path);
const calls = countCalls(source, {});
let refused = false;
try {
  source.$client.run("delete from tool_calls");
} catch {
  refused = true;
}
process.stdout.write(JSON.stringify({ calls, refused }));
