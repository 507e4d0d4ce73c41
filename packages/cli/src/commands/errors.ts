import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function errors({ command, terminal }: CommandLine): void {
  questionOptions(
    command("errors", "failures, grouped by kind of error", ["toolmeter errors --since 24h"]),
  ).action(async (options) => (await import("../answers/errors.ts")).errors(options, terminal));
}
