import {
  type JSONPath,
  applyEdits,
  modify,
  parseTree,
  findNodeAtLocation,
  getNodeValue,
  type ParseError,
} from "jsonc-parser";
import { CommandError } from "../errors.ts";

/** How a client starts a server. */
export interface ServerEntry {
  readonly name: string;
  /** The project it belongs to, where one file lists those of several. */
  readonly project: string | undefined;
  readonly path: JSONPath;
  /** Program and arguments; nothing for a server at a URL. */
  readonly command: readonly string[] | undefined;
}

/** A change of one server's command. */
export interface Change {
  readonly entry: ServerEntry;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** The servers that a configuration lists. Comments and trailing commas are allowed, as in VS Code. */
export function listServers(text: string, key: string, file: string): readonly ServerEntry[] {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const config: unknown = root && getNodeValue(root);
  if (!isObject(config) || errors.length > 0) {
    throw new CommandError(
      `Expected JSON, but ${file} cannot be read as such. Nothing was changed.`,
    );
  }
  const projects = isObject(config["projects"]) ? Object.keys(config["projects"]) : [];
  const places: readonly { project: string | undefined; path: JSONPath }[] = [
    { project: undefined, path: [key] },
    // Claude Code keeps the servers of each project in the user's file.
    ...projects.map((project) => ({ project, path: ["projects", project, key] })),
  ];
  return places.flatMap(({ project, path }) => {
    const node = root && findNodeAtLocation(root, path);
    const servers: unknown = node && getNodeValue(node);
    if (!isObject(servers)) return [];
    return Object.entries(servers).map(([name, server]) => ({
      name,
      project,
      path: [...path, name],
      command: commandOf(server),
    }));
  });
}

/** The text with other commands; all else stays as it was written. */
export function withCommands(text: string, changes: readonly Change[]): string {
  const formattingOptions = formattingOf(text);
  const set = (current: string, path: JSONPath, value: unknown) =>
    applyEdits(current, modify(current, path, value, { formattingOptions }));
  return changes.reduce((current, { entry, after }) => {
    const [program, ...words] = after;
    return set(set(current, [...entry.path, "command"], program), [...entry.path, "args"], words);
  }, text);
}

/** As the file is indented. */
function formattingOf(text: string) {
  const [, indent = "  "] = /\n([ \t]+)\S/.exec(text) ?? [];
  const isTabs = indent.startsWith("\t");
  return {
    insertSpaces: !isTabs,
    tabSize: isTabs ? 1 : indent.length,
    eol: text.includes("\r\n") ? "\r\n" : "\n",
  };
}

function commandOf(server: unknown): readonly string[] | undefined {
  if (!isObject(server) || typeof server["command"] !== "string") return undefined;
  const { args } = server;
  const words = Array.isArray(args) ? args.map(String) : [];
  return [server["command"], ...words];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
