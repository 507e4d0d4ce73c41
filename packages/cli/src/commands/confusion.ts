import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function confusion({ command, terminal }: CommandLine): void {
  questionOptions(
    command("confusion", "retries after a rejection, loops, substitutions", [
      "toolmeter confusion --client claude-code",
    ]),
  ).action(async (options) =>
    (await import("../answers/confusion.ts")).confusion(options, terminal),
  );
}
