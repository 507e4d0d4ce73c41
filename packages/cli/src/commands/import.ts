import { Importer, type RecordedToolCall, createAnalyticsDb } from "@toolmeter/core";
import { CommandError } from "../errors.ts";
import type { Terminal } from "../terminal.ts";

export interface ImportOptions {
  readonly db?: string | undefined;
  readonly quiet?: true | undefined;
}

/** Lines that could not be read are told one by one, up to so many. */
const MAX_TOLD = 5;

/** Takes in calls from JSON Lines. A line that is no call is told, and the others are taken in. */
export async function importCalls(
  file: string,
  options: ImportOptions,
  terminal: Terminal,
): Promise<void> {
  const input = file === "-" ? Bun.stdin : Bun.file(file);
  if (file !== "-" && !(await Bun.file(file).exists())) {
    throw new CommandError(`Expected a file of JSON Lines, but there is no ${file}.`);
  }
  using db = createAnalyticsDb(options.db);
  const importer = new Importer(db);
  const before = countOf(db);
  let number = 0;
  let read = 0;
  let refused = 0;
  for await (const line of linesOf(input.stream())) {
    number += 1;
    if (line.trim() === "") continue;
    try {
      importer.toolCall(toCall(JSON.parse(line)));
      read += 1;
    } catch (error) {
      refused += 1;
      const reason = error instanceof Error ? error.message : String(error);
      if (refused <= MAX_TOLD) terminal.err(`line ${number}: ${reason.replaceAll(/\s+/g, " ")}`);
    }
  }
  importer.commit();
  const added = countOf(db) - before;
  if (!options.quiet)
    terminal.err(`${added} calls taken in, ${read - added} were here already (${db.path}).`);
  if (refused > 0)
    throw new CommandError(`${refused} of ${number} lines could not be read as calls.`);
}

function countOf({
  $client,
}: {
  readonly $client: { query: (sql: string) => { values: () => unknown[][] } };
}): number {
  return Number($client.query("select count(*) from tool_calls").values()[0]?.[0]);
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** A call under the names of its columns, as `export` writes it. What it says is for the importer to judge. */
function toCall(line: unknown): RecordedToolCall {
  if (typeof line !== "object" || line === null || Array.isArray(line)) {
    throw new SyntaxError("Expected an object.");
  }
  const fields = Object.entries(line).map(([column, value]) => [toField(column), value] as const);
  const call: Record<string, unknown> = Object.fromEntries(fields);
  const { id, toolName, startedAt, durationMs } = call;
  if (typeof id !== "string" || id === "") throw new TypeError("Expected an `id`.");
  if (typeof toolName !== "string") throw new TypeError("Expected a `tool_name`.");
  if (typeof startedAt !== "number")
    throw new TypeError("Expected `started_at_ms` to be a number.");
  if (typeof durationMs !== "number") throw new TypeError("Expected `duration_ms` to be a number.");
  return { ...call, id, toolName, startedAt, durationMs };
}

/** `started_at_ms` → `startedAt`, `tool_name` → `toolName`. */
function toField(column: string): string {
  return column
    .replace(/_at_ms$/, "_at")
    .replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
