import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { version } from "../package.json";
import { CLIENTS } from "./clients/locations.ts";
import { FORMATS } from "./output/render.ts";
import type { Terminal } from "./output/terminal.ts";

/**
 * Every command, its options and its help. What a command does is loaded when it is called.
 * @param print Takes help and the version; commander does not wait for it.
 */
export function makeProgram(
  terminal: Terminal,
  exit: (code: number) => void,
  print = (text: string) => void terminal.out(text),
) {
  const program = new Command("toolmeter")
    .description("Know what your MCP tools do: record any server, answer from the file.")
    .version(version)
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .showHelpAfterError("(toolmeter --help tells more)")
    .configureOutput({
      writeOut: print,
      writeErr: (text) => terminal.err(text.trimEnd()),
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
      getOutHasColors: () => terminal.hasColor,
    })
    .exitOverride()
    .helpOption("-h, --help", "tell what a command does")
    .helpCommand(false)
    .addHelpText(
      "after",
      `
Without a command, toolmeter reports on the last 7 days.

Examples:
  $ toolmeter record npx -y @modelcontextprotocol/server-memory
  $ toolmeter --since 24h --server github
  $ toolmeter tools create_issue
  $ toolmeter check --p95 500ms --error-rate 2%

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 check or doctor found something, 130 interrupted.`,
    );
  const command = <Name extends string>(name: Name, text: string, examples: readonly string[]) =>
    program
      .command(name)
      .description(text)
      .allowExcessArguments(false)
      .addHelpText("after", `\nExamples:\n${examples.map((each) => `  $ ${each}`).join("\n")}`);

  command("record", "run a server and record its calls; put it in front of the command", [
    "toolmeter record npx -y @modelcontextprotocol/server-memory",
    "toolmeter record --server-name files -- uvx some-server --flag",
    "toolmeter record --http http://localhost:3000/mcp --listen 127.0.0.1:3001",
  ])
    .passThroughOptions()
    .argument("[command...]", "the server's command; its options are its own")
    .option("--db <file>", "the analytics database (default: TOOLMETER_DB, else the user's)")
    .addOption(
      new Option("--server-name <name>", "record the server under this name").env(
        "TOOLMETER_SERVER_NAME",
      ),
    )
    .addOption(
      new Option("--server-version <version>", "and this version").env("TOOLMETER_SERVER_VERSION"),
    )
    .option("--payloads", "store arguments and results (or TOOLMETER_PAYLOADS=1)")
    .addOption(
      new Option("--redact <keys>", "mask the values of these keys too, separated by commas")
        .env("TOOLMETER_REDACT")
        .argParser((text) => text.split(",")),
    )
    .option("--http <url>", "record a server at a URL instead")
    .option("--listen <address>", "where to listen for its clients", "127.0.0.1:0")
    .action(async (words, options) =>
      exit(await (await import("./record/record.ts")).record(words, options, terminal)),
    );

  installed(
    command("install", "record the servers that a client starts: rewrites its configuration", [
      "toolmeter install claude-desktop --dry-run",
      "toolmeter install cursor --server github",
    ]).addArgument(program.createArgument("<client>", "which").choices(CLIENTS)),
  ).action(async (client, options) =>
    (await import("./clients/install.ts")).install(client, options, terminal),
  );

  installed(
    command("uninstall", "take the recorder away from a client's configuration again", [
      "toolmeter uninstall claude-desktop",
    ]).addArgument(program.createArgument("<client>", "which").choices(CLIENTS)),
  ).action(async (client, options) =>
    (await import("./clients/install.ts")).uninstall(client, options, terminal),
  );

  filtered(
    command("report", "what was called, how it went, what changed (the default)", [
      "toolmeter",
      "toolmeter report --since 2026-11-01 --until 2026-11-08",
    ]),
  ).action(async (options) => (await import("./answers/report.ts")).report(options, terminal));

  filtered(
    command("tools", "all tools; or everything about one", [
      "toolmeter tools --sort p95Ms",
      "toolmeter tools create_issue",
    ]).argument("[name]", "a tool's name"),
  ).action(async (name, options) =>
    (await import("./answers/tools.ts")).tools(name, options, terminal),
  );

  filtered(
    command("sessions", "the latest sessions", ["toolmeter sessions --status error"]),
  ).action(async (options) => (await import("./answers/sessions.ts")).sessions(options, terminal));

  shown(
    command("session", "one session as a waterfall", ["toolmeter session 4f1e"])
      .argument("<id>", "a session's id, or a part of it")
      .addOption(limitOption()),
  ).action(async (id, options) =>
    (await import("./answers/session.ts")).session(id, options, terminal),
  );

  filtered(command("errors", "what goes wrong, by kind", ["toolmeter errors --since 24h"])).action(
    async (options) => (await import("./answers/errors.ts")).errors(options, terminal),
  );

  filtered(
    command("slow", "the slowest calls, or the largest", [
      "toolmeter slow --tool query",
      "toolmeter slow --sort outputTokens",
    ]),
  ).action(async (options) => (await import("./answers/slow.ts")).slow(options, terminal));

  filtered(command("clients", "who calls", ["toolmeter clients --server github"])).action(
    async (options) => (await import("./answers/clients.ts")).clients(options, terminal),
  );

  filtered(
    command("transitions", "which tool follows which", [
      "toolmeter transitions --tool read_text_file",
    ]),
  ).action(async (options) =>
    (await import("./answers/transitions.ts")).transitions(options, terminal),
  );

  filtered(
    command("tax", "context that tool definitions take, against their use: what to delete", [
      "toolmeter tax --since 30d",
    ]),
  ).action(async (options) => (await import("./answers/tax.ts")).tax(options, terminal));

  filtered(
    command("confusion", "retries after a rejection, loops, substitutions", [
      "toolmeter confusion --client claude-code",
    ]),
  ).action(async (options) =>
    (await import("./answers/confusion.ts")).confusion(options, terminal),
  );

  filtered(
    command("tail", "calls as they come, those in flight too", [
      "toolmeter tail",
      "toolmeter tail --json | jq .toolName",
    ]),
  ).action(async (options) =>
    exit(await (await import("./answers/tail.ts")).tail(options, terminal)),
  );

  filtered(
    command("health", "what recording costs, what it lost, how large the file is", [
      "toolmeter health --since 24h",
    ]),
  ).action(async (options) => (await import("./answers/health.ts")).health(options, terminal));

  filtered(
    command("check", "fail (exit code 3) if tools are too slow or fail too often", [
      "toolmeter check --p95 500ms --error-rate 2%",
      "toolmeter check --p99 2s --tool 'read_*' --since 1h",
    ])
      .option("--p50 <time>", "longest median of a tool")
      .option("--p95 <time>", "longest 95th percentile of a tool")
      .option("--p99 <time>", "longest 99th percentile of a tool")
      .option("--error-rate <share>", "largest share of failures, such as 2%")
      .option("--rejection-rate <share>", "largest share of calls that never ran")
      .option("--min-calls <count>", "tools with fewer calls are passed over", count, 1)
      .option("--overall", "hold all calls together against the limits, not each tool"),
  ).action(async (options) =>
    exit(await (await import("./answers/check.ts")).check(options, terminal)),
  );

  shown(
    command("doctor", "prove with a real call that recording works, and find what is in its way", [
      "toolmeter doctor",
      "toolmeter doctor --json",
    ]).option("--deep", "check the whole file for damage, too"),
  ).action(async (options) =>
    exit(await (await import("./doctor/doctor.ts")).doctor(options, terminal)),
  );

  ofFile(
    filters(
      command("export", "calls as JSON Lines, CSV or Parquet, to standard output or a file", [
        "toolmeter export --since 30d > calls.jsonl",
        "toolmeter export --format parquet --output calls.parquet",
      ]),
    )
      .addOption(
        new Option("--format <name>", "how")
          .choices(["jsonl", "csv", "parquet"])
          .default("jsonl" as const),
      )
      .option("-o, --output <file>", "a file, replaced when it is whole; - is standard output", "-")
      .option("--payloads", "with arguments and results, where they were stored"),
  ).action(async (options) =>
    (await import("./transfer/export.ts")).exportCalls(options, terminal),
  );

  ofFile(
    command("import", "take in calls from JSON Lines, as export writes them; twice does no harm", [
      "toolmeter import calls.jsonl",
      "ssh ci toolmeter export | toolmeter import -",
    ]).argument("<file>", "a file; - is standard input"),
  ).action(async (file, options) =>
    (await import("./transfer/import.ts")).importCalls(file, options, terminal),
  );

  ofFile(
    command("merge", "take in everything from other analytics databases; twice does no harm", [
      "toolmeter merge laptop.db ci.db",
    ]).argument("<files...>", "analytics databases"),
  ).action(async (files, options) =>
    (await import("./transfer/merge.ts")).merge(files, options, terminal),
  );

  ofFile(
    command("prune", "remove old calls; without --yes only tell what would go", [
      "toolmeter prune --older-than 90d",
      "toolmeter prune --max-size 500MB --yes",
    ])
      .option("--older-than <time>", "remove calls that are older, such as 90d")
      .option(
        "--max-size <size>",
        "remove the oldest calls while the file is larger, such as 500MB",
      )
      .option("-y, --yes", "do it"),
  ).action(async (options) => (await import("./transfer/prune.ts")).prune(options, terminal));

  shown(
    command("sql", "ask the file in SQL; reads only", [
      "toolmeter sql 'select * from v_tool_daily limit 5'",
      "echo 'select count(*) from tool_calls' | toolmeter sql -",
    ])
      .argument("<query>", "one statement; - reads it from standard input")
      .addOption(limitOption().default(1_000, "1000"))
      .option("--timeout <time>", "give up after that time; 0s is never", "30s"),
  ).action(async (query, options) =>
    exit(await (await import("./sql/sql.ts")).sql(query, options, terminal)),
  );

  shown(
    command("demo", "make a file of made-up traffic, and report on it", [
      "toolmeter demo",
      "toolmeter demo --calls 1000000 --days 90 --output big.db",
    ])
      .option("--calls <count>", "how many calls", count, 20_000)
      .option("--days <count>", "over how many days, up to now", count, 14)
      .option("--seed <number>", "the same for the same number", count, 1)
      .option("-o, --output <file>", "the file; it must not exist yet"),
  ).action(async (options) => (await import("./demo/demo.ts")).demo(options, terminal));

  command("completion", "print the completions for a shell", [
    "source <(toolmeter completion bash)",
    "toolmeter completion fish > ~/.config/fish/completions/toolmeter.fish",
  ])
    .addArgument(program.createArgument("<shell>", "which").choices(["bash", "zsh", "fish"]))
    .action(async (shell) => {
      const { completion } = await import("./completion/completion.ts");
      await terminal.out(completion(shell, program.createHelp().visibleCommands(program)));
    });

  program
    .command("echo-server", { hidden: true })
    .action(async () => (await import("./doctor/echo-server.ts")).echoServer());

  return program;
}

type Options = Record<string, unknown>;

/** Where the data is, and how the answer is shown. */
function shown<Args extends unknown[], Opts extends Options>(command: Command<Args, Opts>) {
  return ofFile(
    command
      .option("--json", "the answer as JSON")
      .addOption(new Option("--format <name>", "how the answer is shown").choices(FORMATS))
      .option("--tz <zone>", "time zone of days and times (default: the system's)")
      .option("--no-color", "no colours; NO_COLOR does the same"),
  );
}

/** Which configuration is rewritten, and how much of it. */
function installed<Args extends unknown[], Opts extends Options>(command: Command<Args, Opts>) {
  return ofFile(
    command
      .option("--dry-run", "only show what would change")
      .option("--server <name...>", "these servers only")
      .option("--config <file>", "the client's configuration, where it is elsewhere"),
  );
}

function ofFile<Args extends unknown[], Opts extends Options>(command: Command<Args, Opts>) {
  return command
    .option("--db <file>", "the analytics database (default: TOOLMETER_DB, else the user's)")
    .option("-q, --quiet", "nothing but the data");
}

/** Which calls a question is about. */
function filters<Args extends unknown[], Opts extends Options>(command: Command<Args, Opts>) {
  return command
    .option("--since <time>", "from then: 30m, 24h, 7d, today, 2026-11-01, all", "7d")
    .option("--until <time>", "until then (default: no end)")
    .option("--tool <name...>", "of these tools; * and ? stand for any letters")
    .option("--server <name...>", "of these servers")
    .option("--client <name...>", "by these clients")
    .option("--session <id>", "of this session")
    .option("--status <status...>", "that ended so: success, error, rejected, …");
}

function filtered<Args extends unknown[], Opts extends Options>(command: Command<Args, Opts>) {
  return shown(filters(command))
    .addOption(limitOption())
    .option("--sort <field>", "by a field of the JSON answer");
}

function limitOption() {
  return new Option("--limit <count>", "rows at most; 0 is all").argParser(count);
}

function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
}
