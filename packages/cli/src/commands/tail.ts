import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function tail({ command, terminal, exit }: CommandLine): void {
  questionOptions(
    command("tail", "print calls as they end, and show those in flight", [
      "toolmeter tail",
      "toolmeter tail --json | jq .toolName",
    ]),
  ).action(async (options) =>
    exit(await (await import("../answers/tail.ts")).tail(options, terminal)),
  );
}
