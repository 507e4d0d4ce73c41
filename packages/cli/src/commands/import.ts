import type { CommandLine } from "./command-line.ts";
import { fileOptions } from "./options.ts";

export function importCalls({ command, terminal }: CommandLine): void {
  fileOptions(
    command("import", "import calls that export wrote as JSON Lines; repeating it is harmless", [
      "toolmeter import calls.jsonl",
      "ssh ci toolmeter export | toolmeter import -",
    ]).argument("<file>", "the file to read; - for standard input"),
  ).action(async (file, options) =>
    (await import("../transfer/import.ts")).importCalls(file, options, terminal),
  );
}
