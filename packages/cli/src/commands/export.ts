import { Option } from "@commander-js/extra-typings";
import type { CommandLine } from "./command-line.ts";
import { fileOptions, filterOptions } from "./options.ts";

export function exportCalls({ command, terminal }: CommandLine): void {
  fileOptions(
    filterOptions(
      command("export", "write calls as JSON Lines, CSV or Parquet", [
        "toolmeter export --since 30d > calls.jsonl",
        "toolmeter export --format parquet --output calls.parquet",
      ]),
    )
      .addOption(
        new Option("--format <name>", "output format")
          .choices(["jsonl", "csv", "parquet"])
          .default("jsonl" as const),
      )
      .option(
        "-o, --output <file>",
        "the file to write, replaced only when complete; - for standard output",
        "-",
      )
      .option("--payloads", "include recorded arguments and results"),
  ).action(async (options) =>
    (await import("../transfer/export.ts")).exportCalls(options, terminal),
  );
}
