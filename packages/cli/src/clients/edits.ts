import { type Edit, type Node, applyEdits, stripComments } from "jsonc-parser";
import type { RecorderCommand } from "./recorder-command.ts";
import type { ServerCommand } from "./configuration.ts";

/**
 * Returns the edits that put a recorder in front of a server's command. The text of the command and its arguments stays
 * unchanged.
 * @param recorder The command of the recorder, without the `--` before the server's command.
 */
export function withRecorder(
  text: string,
  { words, program, args }: ServerCommand,
  recorder: readonly string[],
): readonly Edit[] {
  const [own = "", ...options] = recorder;
  const [first] = args?.children ?? [];
  // Omitting `--` marks that the list of arguments was empty, so that `withoutRecorder` keeps an empty list.
  const isEmptyList = args !== undefined && first === undefined && !words[0]?.startsWith("-");
  const inserted = [
    ...[...options, ...(isEmptyList ? [] : ["--"])].map((word) => JSON.stringify(word)),
    rawText(text, program),
  ];
  const toOwn = { offset: program.offset, length: program.length, content: JSON.stringify(own) };
  if (args === undefined) {
    const property = `,${separatorBefore(text, program.parent ?? program)}"args": [${inserted.join(", ")}]`;
    return [{ ...toOwn, content: toOwn.content + property }];
  }
  const separator = `,${first ? separatorBefore(text, first) : " "}`;
  const list = first ? inserted.map((word) => word + separator).join("") : inserted.join(", ");
  return [toOwn, { offset: first?.offset ?? args.offset + 1, length: 0, content: list }];
}

/** Returns the edits that remove a recorder. They undo those of `withRecorder` byte for byte. */
export function withoutRecorder(
  text: string,
  { words, program, args }: ServerCommand,
  { start, end }: RecorderCommand,
): readonly Edit[] {
  const list = args?.children ?? [];
  const server = list[end - 1];
  if (args === undefined || server === undefined) return [];
  if (start > 0) return [remove(list[start - 1]?.offset ?? 0, server.offset)];
  const toServer = {
    offset: program.offset,
    length: program.length,
    content: rawText(text, server),
  };
  const next = list[end];
  if (next) return [toServer, remove(list[0]?.offset ?? 0, next.offset)];
  const between = text.slice(endOf(program), args.parent?.offset);
  if (words[end - 1] === "--" && /^,\s*$/.test(between)) {
    return [toServer, remove(endOf(program), endOf(args))];
  }
  const isCommaLeft = stripComments(text.slice(endOf(server), endOf(args))).includes(",");
  return [
    toServer,
    isCommaLeft
      ? remove(args.offset + 1, endOf(args) - 1)
      : remove(list[0]?.offset ?? 0, endOf(server)),
  ];
}

/** Applies edits to the text. All positions refer to the original text. */
export function edited(text: string, edits: readonly Edit[]): string {
  return applyEdits(text, [...edits]);
}

/** Returns the white space before a node, which separates list items: a line break with indentation, or a space. */
function separatorBefore(text: string, node: Node): string {
  return /\r?\n[ \t]*$/.exec(text.slice(0, node.offset))?.[0] ?? " ";
}

function remove(from: number, to: number): Edit {
  return { offset: from, length: to - from, content: "" };
}

function rawText(text: string, node: Node): string {
  return text.slice(node.offset, endOf(node));
}

function endOf(node: Node): number {
  return node.offset + node.length;
}
