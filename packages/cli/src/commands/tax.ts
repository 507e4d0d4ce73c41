import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function tax({ command, terminal }: CommandLine): void {
  questionOptions(
    command("tax", "context tokens that tool definitions take, and how often the tools are used", [
      "toolmeter tax --since 30d",
    ]),
  ).action(async (options) => (await import("../answers/tax.ts")).tax(options, terminal));
}
