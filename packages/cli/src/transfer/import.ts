import { type FileHandle, open } from "node:fs/promises";
import { AnalyticsError, Importer, type RecordedToolCall, errorMessage } from "@toolmeter/core";
import { plain } from "@toolmeter/present";
import { CommandError } from "../failures/command-error.ts";
import { parseExactly } from "./exact-json.ts";
import { type Line, linesOf } from "./lines.ts";
import { openTarget } from "./open-target.ts";
import { describeSystemError } from "../failures/system-error.ts";
import type { Terminal } from "../output/terminal.ts";
import { LOCK_TIMEOUT_MS, whileLocked } from "./wait-for-lock.ts";

export interface ImportOptions {
  readonly db?: string | undefined;
  readonly quiet?: true | undefined;
  /** How long to wait for other processes' locks, in milliseconds. */
  readonly patienceMs?: number;
}

/** Longest accepted line, in bytes. A longer one is reported as invalid and not kept in memory. */
const MAX_LINE_BYTES = 16 * 1_048_576;

/** Maximum number of invalid lines that are reported individually, and of characters in a reason. */
const MAX_NAMED = 20;
const MAX_REASON_LENGTH = 300;

/** Bytes per read. */
const CHUNK_BYTES = 262_144;

/** Lines between two messages about progress. */
const PROGRESS_LINES = 100_000;

/**
 * Imports calls from JSON Lines. An invalid line is reported with its number and reason; the other lines are stored.
 *
 * Any other failure ends the command and reports the number of stored calls. Waits for other processes' locks.
 * Repeating an import is always safe.
 */
export async function importCalls(
  file: string,
  options: ImportOptions,
  terminal: Terminal,
): Promise<void> {
  const notify = (text: string) => (options.quiet ? undefined : terminal.err(text));
  const retryWhileLocked = <Result>(step: () => Result) =>
    whileLocked(step, notify, options.patienceMs);
  const input = await openInput(file);
  using db = await retryWhileLocked(() => openTarget(options.db, LOCK_TIMEOUT_MS));
  const report = new Report(terminal);
  const lineOf = new WeakMap<RecordedToolCall, number>();
  const importer = new Importer(db, {
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    onRefused: ({ call, error }) => report.refused(call && lineOf.get(call), error),
  });
  const summary = () => {
    const { stored, known } = importer.counts;
    return `${stored} calls imported, ${known} already present (${db.path}).`;
  };
  let number = 0;
  /** Calls that were read but not yet passed to the importer. */
  let held = 0;
  try {
    for await (const line of linesOf(input, MAX_LINE_BYTES)) {
      number = line.number;
      if (number % PROGRESS_LINES === 0) notify(`${number} lines`);
      try {
        const call = toCall(line);
        if (!call) continue;
        lineOf.set(call, number);
        held = 1;
        await retryWhileLocked(() => importer.toolCall(call));
        held = 0;
      } catch (error) {
        if (error instanceof AnalyticsError) throw error;
        held = 0;
        report.unreadable(number, error);
      }
    }
    await retryWhileLocked(() => importer.commit());
  } catch (error) {
    const reason = describeSystemError(error, `Expected to read ${file}`) ?? errorMessage(error);
    throw new CommandError(
      `${reason} The import stopped at line ${number}: ${summary()} ${importer.counts.waiting + held} more calls were read but not stored. Repeat the import: no call is stored twice.`,
    );
  }
  notify(summary());
  report.end(number);
}

/** Reports the invalid lines, the first of them individually. */
class Report {
  readonly #terminal: Terminal;
  #unreadable = 0;
  #refused = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  unreadable(line: number, error: unknown): void {
    this.#unreadable += 1;
    this.#name(line, error);
  }

  refused(line: number | undefined, error: unknown): void {
    this.#refused += 1;
    this.#name(line, error);
  }

  /** Throws if there was an invalid line. */
  end(lines: number): void {
    const reasons = [
      ...(this.#unreadable > 0
        ? [`${this.#unreadable} of ${lines} lines could not be read as calls.`]
        : []),
      ...(this.#refused > 0
        ? [`The database refused the calls of ${this.#refused} of ${lines} lines.`]
        : []),
    ];
    if (reasons.length > 0) throw new CommandError(reasons.join(" "));
  }

  #name(line: number | undefined, error: unknown): void {
    const bad = this.#unreadable + this.#refused;
    if (bad > MAX_NAMED) return;
    const reason = plain(errorMessage(error).slice(0, MAX_REASON_LENGTH));
    this.#terminal.err(`line ${line}: ${reason}`);
    if (bad === MAX_NAMED) this.#terminal.err("Further invalid lines are only counted.");
  }
}

async function openInput(file: string): Promise<AsyncIterable<Uint8Array>> {
  if (file === "-") return Bun.stdin.stream();
  const failure = (error: unknown) => describeSystemError(error, `Expected to read ${file}`);
  try {
    const handle = await open(file);
    if ((await handle.stat()).isDirectory()) {
      await handle.close();
      throw new CommandError(`Expected a file of JSON Lines, got the directory ${file}.`);
    }
    return chunksOf(handle);
  } catch (error) {
    const message = failure(error);
    throw message === undefined ? error : new CommandError(message);
  }
}

async function* chunksOf(handle: FileHandle): AsyncIterable<Uint8Array> {
  try {
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(CHUNK_BYTES));
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** Ignores a byte order mark, which some editors write at the start of a file. */
const UTF8 = new TextDecoder("utf-8", { fatal: true });

const PAYLOADS = ["arguments", "result", "attributes"] as const;

/** Parses a line as written by `export`, with the names of the columns; returns `undefined` for a blank line. */
function toCall({ bytes }: Line): RecordedToolCall | undefined {
  if (bytes === undefined) {
    throw new RangeError(
      `Expected a line of at most ${MAX_LINE_BYTES / 1_048_576} MiB. To import larger calls: toolmeter merge`,
    );
  }
  const text = decode(bytes);
  if (text.trim() === "") return undefined;
  const columns: unknown = JSON.parse(text);
  if (!isObject(columns)) throw new SyntaxError("Expected an object.");
  const call = Object.fromEntries(
    Object.entries(columns).map(([column, value]) => [toField(column), value] as const),
  );
  const { id, toolName, startedAt, durationMs } = call;
  if (typeof id !== "string" || id === "") throw new TypeError("Expected an `id`.");
  if (typeof toolName !== "string") throw new TypeError("Expected a `tool_name`.");
  if (typeof startedAt !== "number")
    throw new TypeError("Expected `started_at_ms` to be a number.");
  if (typeof durationMs !== "number") throw new TypeError("Expected `duration_ms` to be a number.");
  return { ...call, ...exactPayloads(text, columns), id, toolName, startedAt, durationMs };
}

function decode(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new TypeError("Expected UTF-8.");
  }
}

/** Parses the payloads with exact numbers, because 64-bit ids are common in them. */
function exactPayloads(text: string, columns: object): Partial<RecordedToolCall> {
  if (!PAYLOADS.some((name) => name in columns)) return {};
  const exact = parseExactly(text);
  if (!isObject(exact)) return {};
  return Object.fromEntries(
    PAYLOADS.filter((name) => name in exact).map((name) => [name, exact[name]]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `started_at_ms` → `startedAt`, `tool_name` → `toolName`. */
function toField(column: string): string {
  return column
    .replace(/_at_ms$/, "_at")
    .replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
