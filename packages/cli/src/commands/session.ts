import type { CommandLine } from "./command-line.ts";
import { limitOption, printOptions } from "./options.ts";

export function session({ command, terminal }: CommandLine): void {
  printOptions(
    command("session", "the calls of one session on a timeline", ["toolmeter session 4f1e"])
      .argument("<id>", "the session's id, or part of it")
      .addOption(limitOption()),
  ).action(async (id, options) =>
    (await import("../answers/session.ts")).session(id, options, terminal),
  );
}
