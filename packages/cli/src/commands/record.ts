import type { CommandLine } from "./command-line.ts";
import { recordOptions } from "./options.ts";

export function record({ command, terminal, exit }: CommandLine): void {
  recordOptions(
    command("record", "run a server and record its calls", [
      "toolmeter record npx -y @modelcontextprotocol/server-memory",
      "toolmeter record --server-name files -- uvx some-server --flag",
      "toolmeter record --http http://localhost:3000/mcp --listen 127.0.0.1:3001",
    ]),
  ).action(async (words, options) =>
    exit(await (await import("../record/record.ts")).record(words, options, terminal)),
  );
}
