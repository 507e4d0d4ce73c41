import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function report({ command, terminal }: CommandLine): void {
  questionOptions(
    command("report", "calls, errors and changes since the previous period (the default)", [
      "toolmeter",
      "toolmeter report --since 2026-11-01 --until 2026-11-08",
    ]),
  ).action(async (options) => (await import("../answers/report.ts")).report(options, terminal));
}
