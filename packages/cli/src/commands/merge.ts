import type { CommandLine } from "./command-line.ts";
import { fileOptions } from "./options.ts";

export function merge({ command, terminal }: CommandLine): void {
  fileOptions(
    command("merge", "import all records of other analytics databases; repeating it is harmless", [
      "toolmeter merge laptop.db ci.db",
    ]).argument("<files...>", "analytics databases"),
  ).action(async (files, options) =>
    (await import("../transfer/merge.ts")).merge(files, options, terminal),
  );
}
