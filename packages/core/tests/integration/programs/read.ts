/** Reads a file that may only be read, and tries to write it. Root may write anything, so it becomes nobody first. */
import { countCalls, openAnalyticsReader } from "../../../src/analytics/queries/index.ts";
import { NOBODY } from "../../support/nobody.ts";

const path = process.argv[2];
if (process.getuid?.() === 0) {
  // What is imported when it is needed may not be readable for nobody.
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}
using source = await openAnalyticsReader(path);
const calls = countCalls(source, {});
let refused = false;
try {
  source.$client.run("delete from tool_calls");
} catch {
  refused = true;
}
process.stdout.write(JSON.stringify({ calls, refused }));
