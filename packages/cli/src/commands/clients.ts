import type { CommandLine } from "./command-line.ts";
import { questionOptions } from "./options.ts";

export function clients({ command, terminal }: CommandLine): void {
  questionOptions(
    command("clients", "usage per client", ["toolmeter clients --server github"]),
  ).action(async (options) => (await import("../answers/clients.ts")).clients(options, terminal));
}
