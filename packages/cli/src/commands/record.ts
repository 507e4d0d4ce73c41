import { Option } from "@commander-js/extra-typings";
import type { CommandLine } from "./command-line.ts";

export function record({ command, terminal, exit }: CommandLine): void {
  command("record", "run a server and record its calls", [
    "toolmeter record npx -y @modelcontextprotocol/server-memory",
    "toolmeter record --server-name files -- uvx some-server --flag",
    "toolmeter record --http http://localhost:3000/mcp --listen 127.0.0.1:3001",
  ])
    .passThroughOptions()
    .argument("[command...]", "the server's command with its options")
    .option("--db <file>", "the analytics database (default: TOOLMETER_DB, otherwise the user's)")
    .addOption(
      new Option("--server-name <name>", "record the server under this name").env(
        "TOOLMETER_SERVER_NAME",
      ),
    )
    .addOption(
      new Option("--server-version <version>", "record the server with this version").env(
        "TOOLMETER_SERVER_VERSION",
      ),
    )
    .option("--payloads", "store arguments and results (or TOOLMETER_PAYLOADS=1)")
    .addOption(
      new Option("--redact <keys>", "also redact the values of these keys, separated by commas")
        .env("TOOLMETER_REDACT")
        .argParser((text) => text.split(",")),
    )
    .option("--http <url>", "record the server at this URL instead of a command")
    .option("--listen <address>", "address to listen on with --http", "127.0.0.1:0")
    .action(async (words, options) =>
      exit(await (await import("../record/record.ts")).record(words, options, terminal)),
    );
}
