import { Argument } from "@commander-js/extra-typings";
import { CLIENTS } from "../clients/locations.ts";
import type { CommandLine } from "./command-line.ts";
import { configurationOptions } from "./options.ts";

export function uninstall({ command, terminal }: CommandLine): void {
  configurationOptions(
    command("uninstall", "restore a client's configuration: its servers are no longer recorded", [
      "toolmeter uninstall claude-desktop",
    ]).addArgument(new Argument("<client>", "an MCP client").choices(CLIENTS)),
  ).action(async (client, options) =>
    (await import("../clients/install.ts")).uninstall(client, options, terminal),
  );
}
