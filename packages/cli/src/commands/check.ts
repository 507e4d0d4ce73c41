import type { CommandLine } from "./command-line.ts";
import { count, questionOptions } from "./options.ts";

export function check({ command, terminal, exit }: CommandLine): void {
  questionOptions(
    command("check", "exit with code 3 if tools are too slow or fail too often", [
      "toolmeter check --p95 500ms --error-rate 2%",
      "toolmeter check --p99 2s --tool 'read_*' --since 1h",
    ])
      .option("--p50 <time>", "longest allowed median per tool")
      .option("--p95 <time>", "longest allowed 95th percentile per tool")
      .option("--p99 <time>", "longest allowed 99th percentile per tool")
      .option("--error-rate <share>", "largest allowed share of failed calls, such as 2%")
      .option(
        "--rejection-rate <share>",
        "largest allowed share of calls rejected before the tool ran",
      )
      .option("--min-calls <count>", "skip tools with fewer calls", count, 1)
      .option("--overall", "apply the limits to all calls together instead of per tool"),
  ).action(async (options) =>
    exit(await (await import("../answers/check.ts")).check(options, terminal)),
  );
}
