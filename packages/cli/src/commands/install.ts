import { copyFile, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import {
  type Change,
  type ServerEntry,
  listServers,
  withCommands,
} from "../clients/configuration.ts";
import { type ClientName, locate } from "../clients/locations.ts";
import { CommandError } from "../errors.ts";
import { oneLine } from "../output/safe.ts";
import { ownCommand } from "../own-command.ts";
import type { Terminal } from "../terminal.ts";

export interface InstallOptions {
  readonly config?: string | undefined;
  readonly db?: string | undefined;
  readonly dryRun?: true | undefined;
  readonly quiet?: true | undefined;
  readonly server?: readonly string[] | undefined;
}

type Rewrite = (entry: ServerEntry, command: readonly string[]) => readonly string[] | undefined;

/** Puts the recorder in front of the servers that a client starts. */
export function install(
  client: ClientName,
  options: InstallOptions,
  terminal: Terminal,
): Promise<void> {
  const words = [
    "record",
    ...(options.db === undefined ? [] : ["--db", resolve(options.db)]),
    "--",
  ];
  const rewrite: Rewrite = (_entry, command) =>
    recorded(command) ? undefined : [...ownCommand(), ...words, ...command];
  return rewriteAll(client, options, terminal, rewrite, "recorded already");
}

/** Takes the recorder away again. */
export function uninstall(
  client: ClientName,
  options: InstallOptions,
  terminal: Terminal,
): Promise<void> {
  return rewriteAll(
    client,
    options,
    terminal,
    (_entry, command) => recorded(command),
    "not recorded",
  );
}

/** The command behind the recorder; nothing if there is no recorder in front. */
function recorded(command: readonly string[]): readonly string[] | undefined {
  const verb = command.indexOf("record");
  const end = command.indexOf("--", verb);
  const program = basename(command[verb - 1] ?? "").replace(/\.(?:exe|ts|js)$/, "");
  return verb > 0 && end > verb && program === "toolmeter" ? command.slice(end + 1) : undefined;
}

async function rewriteAll(
  client: ClientName,
  options: InstallOptions,
  terminal: Terminal,
  rewrite: Rewrite,
  reason: string,
): Promise<void> {
  const { title, files, key } = locate(client);
  const found = (options.config === undefined ? files : [options.config]).filter((file) =>
    existsSync(file),
  );
  if (found.length === 0) {
    throw new CommandError(
      `Expected a configuration of ${title}, but there is none of ${files.join(", ")}. Name it: --config <file>`,
    );
  }
  for (const file of found) await rewriteFile(file, key, options, terminal, rewrite, reason);
}

async function rewriteFile(
  file: string,
  key: string,
  options: InstallOptions,
  terminal: Terminal,
  rewrite: Rewrite,
  reason: string,
): Promise<void> {
  const text = await readFile(file, "utf8");
  const entries = listServers(text, key, file).filter(
    ({ name }) => options.server === undefined || options.server.includes(name),
  );
  const changes: Change[] = [];
  const lines = entries.map((entry) => {
    const { name, project, command: before } = entry;
    const label = oneLine(project === undefined ? name : `${name} (${project})`);
    if (!before)
      return `  ${label}: at a URL, left alone (toolmeter record --http <url> records it)`;
    const after = rewrite(entry, before);
    if (!after) return `  ${label}: ${reason}`;
    changes.push({ entry, before, after });
    return `  ${label}\n    - ${shell(before)}\n    + ${shell(after)}`;
  });
  await terminal.out(`${file}\n${lines.length === 0 ? "  no servers" : lines.join("\n")}\n`);
  if (changes.length === 0) return;
  if (options.dryRun) {
    await terminal.out("Nothing was changed: --dry-run.\n");
    return;
  }
  const backup = await replace(file, text, withCommands(text, changes));
  if (!options.quiet) terminal.err(`Changed. The file as it was: ${backup}. Restart the client.`);
}

/** Puts a text in a file's place, whole or not at all, and keeps the old one beside it. Returns where. */
async function replace(file: string, before: string, after: string): Promise<string> {
  // A link stays a link.
  const target = await realpath(file);
  const { mode } = await stat(target);
  const backup = `${target}.${new Date().toISOString().replaceAll(/[:.]/g, "-")}.backup`;
  await copyFile(target, backup);
  const part = `${target}.toolmeter.part`;
  try {
    await writeFile(part, after, { mode: mode & 0o777 });
    if ((await readFile(target, "utf8")) !== before) {
      throw new CommandError(
        `Expected ${file} to stay as it was, but somebody changed it meanwhile. Try again.`,
      );
    }
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  return backup;
}

function shell(command: readonly string[]): string {
  return oneLine(command.map((word) => Bun.$.escape(word)).join(" "));
}
