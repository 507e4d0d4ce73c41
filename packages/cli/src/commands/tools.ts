import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function tools({ command, terminal }: CommandLine): void {
  questionOptions(
    command("tools", "usage of all tools, or details of one", [
      "toolmeter tools --sort p95Ms",
      "toolmeter tools create_issue",
    ]).argument("[name]", "the tool's name"),
  ).action(async (name, options) =>
    (await import("../answers/tools.ts")).tools(name, options, terminal),
  );
}
