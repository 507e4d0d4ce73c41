import type { CommandLine } from "./command-line.ts";
import { count, printOptions } from "./options.ts";

export function demo({ command, terminal }: CommandLine): void {
  printOptions(
    command("demo", "create a database of sample calls and report on it", [
      "toolmeter demo",
      "toolmeter demo --calls 1000000 --days 90 --output big.db",
    ])
      .option("--calls <count>", "number of calls", count, 20_000)
      .option("--days <count>", "number of days, up to now, that the calls cover", count, 14)
      .option(
        "--seed <number>",
        "seed of the random calls; the same seed produces the same calls",
        count,
        1,
      )
      .option("-o, --output <file>", "the file to create; it must not exist yet"),
  ).action(async (options) => (await import("../demo/demo.ts")).demo(options, terminal));
}
