import { resolve } from "node:path";
import { databasePath } from "@toolmeter/core/queries";
import type { Edit } from "jsonc-parser";
import { oneLine } from "@toolmeter/present";
import { type ServerCommand, listServers } from "./configuration.ts";
import { edited, withRecorder, withoutRecorder } from "./edits.ts";
import { changeText, findFiles, readText } from "./files.ts";
import { type ClientName, locate } from "./locations.ts";
import { CommandError } from "../failures/command-error.ts";
import { ownCommand } from "../own-command.ts";
import { findRecorder } from "./recorder-command.ts";
import type { Terminal } from "../output/terminal.ts";

export interface InstallOptions {
  readonly config?: string | undefined;
  readonly db?: string | undefined;
  readonly dryRun?: true | undefined;
  readonly quiet?: true | undefined;
  readonly server?: readonly string[] | undefined;
}

/** Returns the edits for a server's command, or the reason why there are none. */
type Plan = (text: string, command: ServerCommand) => readonly Edit[] | string;

/** Adds the recorder to the servers that a client starts. */
export function install(
  client: ClientName,
  options: InstallOptions,
  terminal: Terminal,
): Promise<void> {
  const database = options.db === undefined ? [] : ["--db", resolve(databasePath(options.db))];
  const recorder = [...ownCommand(), "record", ...database];
  return rewriteAll(client, options, terminal, (text, command) =>
    findRecorder(command.words) === undefined
      ? withRecorder(text, command, recorder)
      : "already recorded",
  );
}

/** Removes the recorder from the servers of a client. */
export function uninstall(
  client: ClientName,
  options: InstallOptions,
  terminal: Terminal,
): Promise<void> {
  return rewriteAll(client, options, terminal, (text, command) => {
    const recorder = findRecorder(command.words);
    if (recorder === undefined) return "not recorded";
    if (recorder === "hidden") {
      return "recorded in a way that cannot be undone automatically: edit its command";
    }
    if (recorder.end === command.words.length) return "records a URL, not changed";
    return withoutRecorder(text, command, recorder);
  });
}

async function rewriteAll(
  client: ClientName,
  options: InstallOptions,
  terminal: Terminal,
  plan: Plan,
): Promise<void> {
  const { title, files, key } = locate(client);
  for (const file of findFiles(title, files, options.config)) {
    const rewrite = (text: string) => rewritten(text, { file, key, names: options.server }, plan);
    await rewriteFile(file, rewrite, options, terminal);
  }
}

async function rewriteFile(
  file: string,
  rewrite: (text: string) => Rewritten,
  options: InstallOptions,
  terminal: Terminal,
): Promise<void> {
  if (options.dryRun) {
    const before = await readText(file);
    const { report, after } = rewrite(before);
    await terminal.out(report);
    if (after !== before) await terminal.out("Nothing was changed: --dry-run.\n");
    return;
  }
  let report = "";
  const backup = await changeText(file, (text) => {
    const result = rewrite(text);
    ({ report } = result);
    return result.after;
  });
  await terminal.out(report);
  if (backup !== undefined && !options.quiet) {
    terminal.err(`Changed. Backup: ${backup}. Restart the client.`);
  }
}

interface Rewritten {
  readonly after: string;
  /** Each server's command before and after the change. */
  readonly report: string;
}

function rewritten(
  text: string,
  { file, key, names }: { file: string; key: string; names: readonly string[] | undefined },
  plan: Plan,
): Rewritten {
  const servers = listServers(text, key, file);
  const plans = servers.map(({ name, command, fault }) => {
    if (names && !names.includes(name)) return undefined;
    if (fault !== undefined) {
      throw new CommandError(
        `${file}: the server ${JSON.stringify(name)}: ${fault} Or select only other servers: --server <name...>. Nothing was changed.`,
      );
    }
    return command
      ? plan(text, command)
      : "at a URL, not changed (to record it: toolmeter record --http <url>)";
  });
  const after = edited(
    text,
    plans.flatMap((edits) => (typeof edits === "object" ? edits : [])),
  );
  const written = listServers(after, key, file);
  const lines = servers.flatMap(({ name, project, command }, index) => {
    const label = oneLine(project === undefined ? name : `${name} (${project})`);
    const edits = plans[index];
    if (edits === undefined) return [];
    if (typeof edits === "string") return [`  ${label}: ${edits}`];
    return [`  ${label}`, `    - ${shell(command)}`, `    + ${shell(written[index]?.command)}`];
  });
  const none = names ? "  no such server" : "  no servers";
  return { after, report: `${[file, ...(lines.length === 0 ? [none] : lines)].join("\n")}\n` };
}

function shell(command: ServerCommand | undefined): string {
  return oneLine((command?.words ?? []).map((word) => Bun.$.escape(word)).join(" "));
}
