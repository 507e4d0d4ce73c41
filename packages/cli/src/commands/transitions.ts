import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function transitions({ command, terminal }: CommandLine): void {
  questionOptions(
    command("transitions", "which tool is called after which", [
      "toolmeter transitions --tool read_text_file",
    ]),
  ).action(async (options) =>
    (await import("../answers/transitions.ts")).transitions(options, terminal),
  );
}
