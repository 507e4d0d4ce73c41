import { Argument } from "@commander-js/extra-typings";
import { CLIENTS } from "../clients/locations.ts";
import type { CommandLine } from "./command-line.ts";
import { configurationOptions } from "./options.ts";

export function install({ command, terminal }: CommandLine): void {
  configurationOptions(
    command("install", "record the servers that a client starts: rewrites its configuration", [
      "toolmeter install claude-desktop --dry-run",
      "toolmeter install cursor --server github",
    ]).addArgument(new Argument("<client>", "an MCP client").choices(CLIENTS)),
  ).action(async (client, options) =>
    (await import("../clients/install.ts")).install(client, options, terminal),
  );
}
