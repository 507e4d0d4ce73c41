import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function health({ command, terminal }: CommandLine): void {
  questionOptions(
    command("health", "costs and losses of recording, and the size of the file", [
      "toolmeter health --since 24h",
    ]),
  ).action(async (options) => (await import("../answers/health.ts")).health(options, terminal));
}
