import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { z } from "zod";
import { runProgram } from "../support/run.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const PROCESSES = 8;
const CALLS = Number(process.env["TOOLMETER_ROUNDS"] ?? 2_500);
const report = z.object({
  counts: z.object({ accepted: z.number(), written: z.number(), queued: z.number() }),
  lockWaitMaxMs: z.number(),
  gapMs: z.object({ p50: z.number(), p99: z.number(), max: z.number() }),
});

test(`${PROCESSES} processes record ${CALLS} calls each into one file: all are there`, async () => {
  using directory = temporaryDirectory();
  const file = directory.file("a.db");
  const programs = Array.from({ length: PROCESSES }, () =>
    runProgram("record", [file, `${CALLS}`]),
  );
  const reports = (await Promise.all(programs)).map((printed) => report.parse(printed));
  tell(reports);

  expect(lookInto(file)).toEqual({
    calls: PROCESSES * CALLS,
    ids: PROCESSES * CALLS,
    byProcess: Array.from({ length: PROCESSES }, () => [CALLS, CALLS, 0, CALLS - 1]),
    integrity: [["ok"]],
  });
  // They did meet each other's locks. That no host waits for one is `bench/delay.ts`'s to show: on few
  // cores, eight busy processes hold each other up without any database.
  expect(Math.max(...reports.map(({ lockWaitMaxMs }) => lockWaitMaxMs))).toBeGreaterThan(1);
  for (const { counts } of reports) {
    expect(counts).toEqual({ accepted: CALLS, written: CALLS, queued: 0 });
  }
}, 120_000);

function lookInto(file: string) {
  using client = new Database(file);
  const values = (sql: string) => client.query(sql).values();
  const [total] = values("select count(*), count(distinct id) from tool_calls");
  return {
    calls: total?.[0],
    ids: total?.[1],
    byProcess: values(
      "select count(*), count(distinct request_id), min(cast(request_id as integer)), max(cast(request_id as integer)) from tool_calls group by transport",
    ),
    integrity: values("pragma integrity_check"),
  };
}

function tell(reports: readonly z.infer<typeof report>[]): void {
  const worst = (key: "p50" | "p99" | "max") =>
    Math.max(...reports.map(({ gapMs }) => gapMs[key])).toFixed(1);
  process.stderr.write(
    `  gaps in the event loop, worst process: p50 ${worst("p50")}, p99 ${worst("p99")}, max ${worst("max")} ms\n`,
  );
}
