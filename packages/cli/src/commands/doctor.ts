import type { CommandLine } from "./command-line.ts";
import { printOptions } from "./options.ts";

export function doctor({ command, terminal, exit }: CommandLine): void {
  printOptions(
    command("doctor", "verify with a test call that recording works, and list problems", [
      "toolmeter doctor",
      "toolmeter doctor --json",
    ]).option("--deep", "check the whole file for damage"),
  ).action(async (options) =>
    exit(await (await import("../doctor/doctor.ts")).doctor(options, terminal)),
  );
}
