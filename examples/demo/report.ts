import { type AnalyticsDb, FAILED_STATUSES, failedCalls, toolCalls } from "@toolmeter/core";
import { and, count, desc, eq, gt, inArray, max, sql } from "drizzle-orm";
import { CLIENT } from "./servers.ts";
import { elide } from "./text.ts";

const WIDTH = 80;

/** Where the file ends now: calls that come in later have a higher sequence. */
export function lastSequence(db: AnalyticsDb): number {
  return (
    db
      .select({ last: max(toolCalls.sequence) })
      .from(toolCalls)
      .get()?.last ?? 0
  );
}

/**
 * What the file knows of each tool, worst first, and where to look further. At most 80 columns wide. `before`
 * is where the file ended before this run.
 */
export async function report(db: AnalyticsDb, before: number): Promise<string> {
  const calls = await db.$count(toolCalls);
  const thisRun = and(gt(toolCalls.sequence, before), eq(toolCalls.clientName, CLIENT.name));
  const callsThisRun = await db.$count(toolCalls, thisRun);
  const path = Bun.$.escape(db.path);
  return `
${toTable(perTool(db))}

${callsThisRun} calls this run, ${calls} in the file:
  ${db.path}

Look further, with sqlite3 or any other SQLite tool:
  sqlite3 -box ${path} 'select * from v_tool_daily'
  sqlite3 -line ${path} 'select * from v_sessions'
  sqlite3 -line ${path} 'select * from v_errors'`;
}

type ToolSummary = ReturnType<typeof perTool>[number];

/** One row a tool. Percentiles are nearest ranks: durations that calls really had. */
export function perTool(db: AnalyticsDb) {
  const { toolName, durationMs, status } = toolCalls;
  const ranked = db.$with("ranked").as(
    db
      .select({
        toolName,
        durationMs,
        status,
        rank: sql<number>`row_number() over (partition by ${toolName} order by ${durationMs})`.as(
          "rank",
        ),
        calls: sql<number>`count(*) over (partition by ${toolName})`.as("calls"),
      })
      .from(toolCalls),
  );
  const percentile = (percent: number) =>
    sql<number>`min(${ranked.durationMs}) filter (where ${ranked.rank} * 100 >= ${percent} * ${ranked.calls})`;
  const failures = sql<number>`sum(${inArray(ranked.status, FAILED_STATUSES)})`;
  const lastError = db
    .select({
      text: sql`${failedCalls.status} || coalesce(': ' || ${failedCalls.errorMessage}, '')`,
    })
    .from(failedCalls)
    .where(eq(failedCalls.toolName, ranked.toolName))
    .orderBy(desc(failedCalls.startedAt))
    .limit(1);
  return db
    .with(ranked)
    .select({
      toolName: ranked.toolName,
      calls: count(),
      failures,
      p50Ms: percentile(50),
      p95Ms: percentile(95),
      lastError: sql<string | null>`${lastError}`,
    })
    .from(ranked)
    .groupBy(ranked.toolName)
    .orderBy(desc(failures), desc(percentile(95)))
    .all();
}

function toTable(tools: readonly ToolSummary[]): string {
  const header = toLine("tool", ["calls", "failed", "p50 ms", "p95 ms"]);
  return [header, ...tools.flatMap(toLines)].join("\n");
}

function toLines({ toolName, calls, failures, p50Ms, p95Ms, lastError }: ToolSummary): string[] {
  const line = toLine(toolName, [calls, failures, p50Ms.toFixed(1), p95Ms.toFixed(1)]);
  return lastError === null ? [line] : [line, elide(`└ ${lastError}`, WIDTH)];
}

const NUMBER_WIDTH = 10;

function toLine(name: string, numbers: readonly (string | number)[]): string {
  const nameWidth = WIDTH - NUMBER_WIDTH * numbers.length;
  const shown = elide(name, nameWidth);
  const padding = " ".repeat(nameWidth - Bun.stringWidth(shown));
  return shown + padding + numbers.map((number) => String(number).padStart(NUMBER_WIDTH)).join("");
}
