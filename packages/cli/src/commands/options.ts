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
    .option("--tool <name...>", "calls of these tools; * and ? are wildcards")
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

/** The options of `record`, which end where the server's command begins. */
export function recordOptions(command: Command) {
  return command
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
    .option("--listen <address>", "address to listen on with --http", "127.0.0.1:0");
}

export function limitOption() {
  return new Option("--limit <count>", "maximum rows to print; 0 for all").argParser(count);
}

export function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
}
