import { createAnalyticsDb, sessions, toolCalls } from "@toolmeter/core";

/** What a file holds, opened anew: what dead processes left in journals is in it too. */
export function ledger(path: string) {
  using db = createAnalyticsDb(path);
  const calls = db.select().from(toolCalls).orderBy(toolCalls.sequence).all();
  return {
    calls,
    sessions: db.select().from(sessions).all(),
    /** Tool, status, error type, request id. */
    lines: calls.map(
      ({ toolName, status, errorType, requestId }) =>
        `${toolName} ${status} ${errorType ?? "-"} ${requestId}`,
    ),
  };
}
