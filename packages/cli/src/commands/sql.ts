import { type QuerySource, openAnalyticsReader } from "@toolmeter/core/queries";
import { type AskOptions, pick, show } from "../ask.ts";
import { CommandError, EXIT } from "../errors.ts";
import type { Value } from "../output/format.ts";
import { table } from "../output/page.ts";
import { ownCommand } from "../own-command.ts";
import type { Terminal } from "../terminal.ts";
import { localZone, parseDuration, parseZone } from "../time.ts";

export interface SqlOptions extends Pick<
  AskOptions,
  "color" | "db" | "format" | "json" | "quiet" | "tz"
> {
  readonly limit: number;
  readonly timeout: string;
}

type Row = Record<string, Value>;

/**
 * Asks the file in SQL, and returns the exit code. Nothing can stop SQLite in its own thread: with a time limit the
 * question is asked by a process of its own.
 */
export async function sql(query: string, options: SqlOptions, terminal: Terminal): Promise<number> {
  const text = query === "-" ? await Bun.stdin.text() : query;
  const timeoutMs = parseDuration(options.timeout);
  if (timeoutMs > 0) return askInProcess(text, timeoutMs, options, terminal);
  using source = await openAnalyticsReader(options.db, { readOnly: true });
  const limit = options.limit === 0 ? Number.POSITIVE_INFINITY : options.limit;
  const { rows, note } = pick(read(source, text, limit), {
    sort: undefined,
    limit,
  });
  const columns = Object.keys(rows[0] ?? {}).map((name) => ({
    header: name,
    kind: rows.some((row) => typeof row[name] === "string")
      ? ("text" as const)
      : ("number" as const),
    value: (row: Row) => row[name] ?? null,
  }));
  const notes = rows.length === 0 ? "No rows." : note && "… and more: --limit 0 shows all";
  const zone = options.tz === undefined ? localZone() : parseZone(options.tz);
  await show(
    { data: rows, sections: [table(rows, columns, { note: notes })] },
    options,
    zone,
    terminal,
  );
  return EXIT.ok;
}

/** One row more than the limit: whether there are more. */
function read({ $client }: QuerySource, query: string, limit: number): readonly Row[] {
  try {
    return readRows($client.prepare(query).iterate(), limit);
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error));
  }
}

function readRows(answer: Iterable<unknown>, limit: number): readonly Row[] {
  const rows: Row[] = [];
  for (const row of answer) {
    const entries = Object.entries(Object(row)).map(
      ([name, value]) => [name, toValue(value)] as const,
    );
    rows.push(Object.fromEntries(entries));
    if (rows.length > limit) break;
  }
  return rows;
}

function toValue(value: unknown): Value {
  if (typeof value === "string" || typeof value === "number" || value === null) return value;
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString("hex")}'`;
  return typeof value === "bigint" ? String(value) : null;
}

async function askInProcess(
  query: string,
  timeoutMs: number,
  { limit, format, json, color, db, quiet, tz }: SqlOptions,
  terminal: Terminal,
): Promise<number> {
  const words = [
    "sql",
    "-",
    "--timeout",
    "0s",
    "--limit",
    String(limit),
    ...(format ? ["--format", format] : []),
    ...(json ? ["--json"] : []),
    ...(color === false || !terminal.hasColor ? ["--no-color"] : []),
    ...(quiet ? ["--quiet"] : []),
    ...(db === undefined ? [] : ["--db", db]),
    ...(tz === undefined ? [] : ["--tz", tz]),
  ];
  const child = Bun.spawn([...ownCommand(), ...words], {
    env: {
      ...process.env,
      COLUMNS: String(terminal.columns),
      ...(terminal.hasColor && { FORCE_COLOR: "1" }),
    },
    stdin: Buffer.from(query),
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const messages = child.stderr.text();
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout)
    await terminal.out(decoder.decode(chunk, { stream: true }));
  const code = await child.exited;
  if (child.signalCode === "SIGKILL") {
    throw new CommandError(
      `Expected an answer within ${timeoutMs / 1_000} s, but the query still ran. Ask for less, or allow more: --timeout 5m`,
    );
  }
  const text = (await messages).trimEnd();
  if (text !== "") terminal.err(text);
  return code;
}
