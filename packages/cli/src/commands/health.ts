import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function health({ command, terminal }: CommandLine): void {
  questionOptions(
    command("health", "what recording costs, what it lost, and how large the file is", [
      "toolmeter health --since 24h",
    ]),
  ).action(async (options) => (await import("../answers/health.ts")).health(options, terminal));
}
