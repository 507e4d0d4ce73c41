/** The options that several commands share. */
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { FORMATS } from "../output/render.ts";

type Options = Record<string, unknown>;

/** The options for the database file and for messages. */
export function fileOptions<Args extends unknown[], Opts extends Options>(
  command: Command<Args, Opts>,
) {
  return command
    .option("--db <file>", "the analytics database (default: TOOLMETER_DB, otherwise the user's)")
    .option("-q, --quiet", "print only the data");
}

/** The options for the database file and for the output format. */
export function printOptions<Args extends unknown[], Opts extends Options>(
  command: Command<Args, Opts>,
) {
  return fileOptions(
    command
      .option("--json", "print JSON")
      .addOption(new Option("--format <name>", "output format").choices(FORMATS))
      .option("--tz <zone>", "time zone of days and times (default: the system's)")
      .option("--no-color", "print without colours (like NO_COLOR)"),
  );
}

/** The options that select calls. */
export function filterOptions<Args extends unknown[], Opts extends Options>(
  command: Command<Args, Opts>,
) {
  return command
    .option("--since <time>", "start of the period: 30m, 24h, 7d, today, 2026-11-01, all", "7d")
    .option("--until <time>", "end of the period (default: no end)")
    .option("--tool <name...>", "calls of these tools; * and ? match any characters")
    .option("--server <name...>", "calls to these servers")
    .option("--client <name...>", "calls by these clients")
    .option("--session <id>", "calls of this session")
    .option("--status <status...>", "calls with these statuses: success, error, rejected, …");
}

/** All options of a command that queries the file. */
export function questionOptions<Args extends unknown[], Opts extends Options>(
  command: Command<Args, Opts>,
) {
  return printOptions(filterOptions(command))
    .addOption(limitOption())
    .option("--sort <field>", "sort by this field of the JSON output");
}

/** The options that select a client's configuration and its servers. */
export function configurationOptions<Args extends unknown[], Opts extends Options>(
  command: Command<Args, Opts>,
) {
  return fileOptions(
    command
      .option("--dry-run", "show the changes without making them")
      .option("--server <name...>", "change only these servers")
      .option("--config <file>", "the client's configuration file, if not in the default place"),
  );
}

export function limitOption() {
  return new Option("--limit <count>", "most rows to print; 0 for all").argParser(count);
}

export function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
}
