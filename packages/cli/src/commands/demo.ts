import type { CommandLine } from "./command-line.ts";
import { count, printOptions } from "./options.ts";

export function demo({ command, terminal }: CommandLine): void {
  printOptions(
    command("demo", "create a file of sample calls and report on it", [
      "toolmeter demo",
      "toolmeter demo --calls 1000000 --days 90 --output big.db",
    ])
      .option("--calls <count>", "number of calls", count, 20_000)
      .option("--days <count>", "days they are spread over, up to now", count, 14)
      .option("--seed <number>", "the same seed makes the same calls", count, 1)
      .option("-o, --output <file>", "a file that does not exist yet"),
  ).action(async (options) => (await import("../demo/demo.ts")).demo(options, terminal));
}
