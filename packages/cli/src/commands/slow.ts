import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function slow({ command, terminal }: CommandLine): void {
  questionOptions(
    command("slow", "the slowest calls, or the largest", [
      "toolmeter slow --tool query",
      "toolmeter slow --sort outputTokens",
    ]),
  ).action(async (options) => (await import("../answers/slow.ts")).slow(options, terminal));
}
