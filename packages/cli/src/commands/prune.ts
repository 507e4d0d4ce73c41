import type { CommandLine } from "./command-line.ts";
import { fileOptions } from "./options.ts";

export function prune({ command, terminal }: CommandLine): void {
  fileOptions(
    command("prune", "remove old calls; a dry run unless --yes is given", [
      "toolmeter prune --older-than 90d",
      "toolmeter prune --max-size 500MB --yes",
    ])
      .option("--older-than <time>", "remove calls older than this, such as 90d")
      .option(
        "--max-size <size>",
        "remove the oldest calls until the file is no larger than this, such as 500MB",
      )
      .option("-y, --yes", "remove the calls"),
  ).action(async (options) => (await import("../transfer/prune.ts")).prune(options, terminal));
}
