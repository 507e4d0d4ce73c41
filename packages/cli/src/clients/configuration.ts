import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { CommandError } from "../failures/command-error.ts";

/** A server in a client's configuration. */
export interface ServerEntry {
  readonly name: string;
  /** The server's project, if the file lists the servers of several projects. */
  readonly project: string | undefined;
  /** `undefined` for a server that the client does not start itself. */
  readonly command: ServerCommand | undefined;
  /** The reason why this entry cannot be changed. */
  readonly fault: string | undefined;
}

/** A server's program and arguments, and their positions in the file. */
export interface ServerCommand {
  readonly words: readonly string[];
  readonly program: Node;
  readonly args: Node | undefined;
}

interface Member {
  readonly name: string;
  readonly value: Node;
}

const BYTE_ORDER_MARK = /^\uFEFF/;

/**
 * Lists the servers of a configuration. Accepts comments, trailing commas and a byte order mark, as clients do.
 * @throws CommandError if the text is not JSON, or if a list of servers is not an object or occurs twice.
 */
export function listServers(text: string, key: string, file: string): readonly ServerEntry[] {
  return new Reader(text, key, file).servers();
}

class Reader {
  readonly #text: string;
  readonly #key: string;
  readonly #file: string;

  constructor(text: string, key: string, file: string) {
    this.#text = text;
    this.#key = key;
    this.#file = file;
  }

  servers(): readonly ServerEntry[] {
    const config = this.#object(this.#parse(), "the configuration");
    const projects = this.#only(config, "projects");
    // Claude Code stores the servers of each project in the user's file.
    const ofProjects = (projects ? membersOf(projects) : []).filter(
      ({ value }) => value.type === "object",
    );
    return [
      ...this.#serversOf(config),
      ...ofProjects.flatMap(({ name, value }) => this.#serversOf(value, name)),
    ];
  }

  #parse(): Node {
    // Replaced by a space, so that all positions stay the same.
    const json = this.#text.replace(BYTE_ORDER_MARK, " ");
    const errors: ParseError[] = [];
    const root = parseTree(json, errors, { allowTrailingComma: true });
    if (root && errors.length === 0) return root;
    if (json.trim() === "") {
      throw this.#refusal("Expected JSON, but the file is empty. Write {} into it, or remove it.");
    }
    const reasons = errors.map(
      ({ error, offset }) => `${printParseErrorCode(error)} ${this.#at(offset)}`,
    );
    throw this.#refusal(`Expected JSON, got a syntax error (${reasons[0]}). Correct it.`);
  }

  #serversOf(object: Node, project?: string): readonly ServerEntry[] {
    const list = this.#only(object, this.#key);
    if (list === undefined) return [];
    const members = membersOf(this.#object(list, JSON.stringify(this.#key)));
    return members.map(({ name, value }) => {
      const fault = this.#twice(members, name) ?? this.#faultOf(value);
      const command = fault === undefined ? commandOf(value) : undefined;
      return { name, project, command, fault };
    });
  }

  /** Returns the first fault in the fields of a server that are read here. */
  #faultOf(server: Node): string | undefined {
    if (server.type !== "object") {
      return `Expected an object, got ${typeOf(server)} ${this.#at(server.offset)}. Correct it.`;
    }
    const members = membersOf(server);
    const repeated = this.#twice(members, "command") ?? this.#twice(members, "args");
    if (repeated !== undefined) return repeated;
    const program = valueOf(members, "command");
    if (program && (program.type !== "string" || program.value === "")) {
      return `Expected "command" to be the name of a program, got ${typeOf(program)} ${this.#at(program.offset)}. Correct it.`;
    }
    const args = program && valueOf(members, "args");
    const wrong =
      args?.type === "array" ? args.children?.find(({ type }) => type !== "string") : args;
    return (
      wrong &&
      `Expected "args" to be a list of strings, such as ["-y", "a-server"], got ${typeOf(wrong)} ${this.#at(wrong.offset)}. Correct it.`
    );
  }

  #object(node: Node, what: string): Node {
    if (node.type === "object") return node;
    throw this.#refusal(
      `Expected ${what} to be an object, got ${typeOf(node)} ${this.#at(node.offset)}. Correct it.`,
    );
  }

  /** Returns the only value of a name. Throws if the name occurs twice. */
  #only(object: Node, name: string): Node | undefined {
    const members = membersOf(object);
    const fault = this.#twice(members, name);
    if (fault !== undefined) throw this.#refusal(fault);
    return valueOf(members, name);
  }

  /** Rejects duplicate names, because clients differ in which of the two they read. */
  #twice(members: readonly Member[], name: string): string | undefined {
    const [first, second] = members.filter((member) => member.name === name);
    if (!first || !second) return undefined;
    return `Expected ${JSON.stringify(name)} once, but it occurs ${this.#at(first.value.offset)} and ${this.#at(second.value.offset)}. Remove one.`;
  }

  #at(offset: number): string {
    return `in line ${this.#text.slice(0, offset).split("\n").length}`;
  }

  #refusal(reason: string): CommandError {
    return new CommandError(`${this.#file}: ${reason} Nothing was changed.`);
  }
}

function commandOf(server: Node): ServerCommand | undefined {
  const members = membersOf(server);
  const program = valueOf(members, "command");
  const args = valueOf(members, "args");
  if (!program) return undefined;
  return {
    words: [program, ...(args?.children ?? [])].map(({ value }) => String(value)),
    program,
    args,
  };
}

function membersOf(object: Node): readonly Member[] {
  return (object.children ?? []).flatMap(({ children: [name, value] = [] }) =>
    name && value ? [{ name: String(name.value), value }] : [],
  );
}

function valueOf(members: readonly Member[], name: string): Node | undefined {
  return members.find((member) => member.name === name)?.value;
}

function typeOf({ type, value }: Node): string {
  if (value === "") return "an empty string";
  return ["array", "object"].includes(type) ? `an ${type}` : `a ${type}`;
}
