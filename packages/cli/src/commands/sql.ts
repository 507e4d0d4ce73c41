import type { CommandLine } from "./command-line.ts";
import { limitOption, printOptions } from "./options.ts";

export function sql({ command, terminal, exit }: CommandLine): void {
  printOptions(
    command("sql", "run a read-only SQL query", [
      "toolmeter sql 'select * from v_tool_daily limit 5'",
      "echo 'select count(*) from tool_calls' | toolmeter sql -",
    ])
      .argument("<query>", "one statement; - for standard input")
      .addOption(limitOption().default(1_000, "1000"))
      .option("--timeout <time>", "stop after this time; 0s for no limit", "30s"),
  ).action(async (query, options) =>
    exit(await (await import("../sql/sql.ts")).sql(query, options, terminal)),
  );
}
