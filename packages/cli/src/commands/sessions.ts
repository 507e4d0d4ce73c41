import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function sessions({ command, terminal }: CommandLine): void {
  questionOptions(
    command("sessions", "the latest sessions", ["toolmeter sessions --status error"]),
  ).action(async (options) => (await import("../answers/sessions.ts")).sessions(options, terminal));
}
