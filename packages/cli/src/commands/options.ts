/** The options that several commands share. */
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { FORMATS } from "../output/render.ts";

type Options = Record<string, unknown>;

/** Which file is used, and how much is printed beside the data. */
export function fileOptions<Args extends unknown[], Opts extends Options>(
  command: Command<Args, Opts>,
) {
  return command
    .option("--db <file>", "the analytics database (default: TOOLMETER_DB, else the user's)")
    .option("-q, --quiet", "print the data only");
}

/** Which file is read, and how the answer is printed. */
export function printOptions<Args extends unknown[], Opts extends Options>(
  command: Command<Args, Opts>,
) {
  return fileOptions(
    command
      .option("--json", "print JSON")
      .addOption(new Option("--format <name>", "output format").choices(FORMATS))
      .option("--tz <zone>", "time zone of days and times (default: the system's)")
      .option("--no-color", "print without colours, as NO_COLOR does"),
  );
}

/** Which calls are counted. */
export function filterOptions<Args extends unknown[], Opts extends Options>(
  command: Command<Args, Opts>,
) {
  return command
    .option("--since <time>", "calls since then: 30m, 24h, 7d, today, 2026-11-01, all", "7d")
    .option("--until <time>", "calls before then (default: no end)")
    .option("--tool <name...>", "calls of these tools; * and ? match any characters")
    .option("--server <name...>", "calls to these servers")
    .option("--client <name...>", "calls by these clients")
    .option("--session <id>", "calls of this session")
    .option("--status <status...>", "calls that ended with: success, error, rejected, …");
}

/** Everything that a question to the file takes. */
export function questionOptions<Args extends unknown[], Opts extends Options>(
  command: Command<Args, Opts>,
) {
  return printOptions(filterOptions(command))
    .addOption(limitOption())
    .option("--sort <field>", "sort by a field of the JSON answer");
}

/** Which configuration is rewritten, and which of its servers. */
export function configurationOptions<Args extends unknown[], Opts extends Options>(
  command: Command<Args, Opts>,
) {
  return fileOptions(
    command
      .option("--dry-run", "show the changes without making them")
      .option("--server <name...>", "change these servers only")
      .option("--config <file>", "the client's configuration file, if it is elsewhere"),
  );
}

export function limitOption() {
  return new Option("--limit <count>", "rows at most; 0 for all").argParser(count);
}

export function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
}
