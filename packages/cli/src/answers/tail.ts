import {
  type AnalyticsReader,
  type CallFilter,
  type LiveCall,
  LiveCallFollower,
  callsAfter,
  matchesPatterns,
  openAnalyticsReader,
  topCalls,
} from "@toolmeter/core/queries";
import { clockTime, duration, plain, toJson } from "@toolmeter/present";
import { type AskOptions, toQuestion } from "./ask.ts";
import { toneOfStatus } from "./columns.ts";
import { EXIT } from "../failures/exit-codes.ts";
import { elide, paint } from "../output/table.ts";
import type { Terminal } from "../output/terminal.ts";

/** Pause between two polls, in milliseconds. `PRAGMA data_version` costs two microseconds. */
const POLL_MS = 100;

const DEFAULT_LIMIT = 10;

/** Maximum number of remembered ids. A call appears first in a journal and up to five seconds later in the file. */
const MAX_REMEMBERED = 20_000;

/** Rows per read from the file. */
const PAGE_ROWS = 1_000;

/**
 * Prints calls as they end, until it is stopped. On an interactive terminal, also shows the running calls below them.
 */
export async function tail(
  options: AskOptions,
  terminal: Terminal,
  stopped: AbortSignal = interruption(),
): Promise<number> {
  const { filter, zone } = toQuestion(options, Date.now());
  const ofCalls = { ...filter, since: undefined, until: undefined };
  using source = await openAnalyticsReader(options.db);
  const feed = new Feed(source, ofCalls, options.limit ?? DEFAULT_LIMIT);
  const isJson = options.json === true || options.format === "json";
  const style = { zone, terminal, hasColor: terminal.hasColor && options.color !== false };
  const board = new Board(style, !isJson && terminal.isInteractive);
  if (!options.quiet) terminal.err(`Following ${source.path}. Stop with Ctrl-C.`);
  while (!stopped.aborted) {
    const { ended, running } = feed.poll();
    const lines = ended.map((call) => (isJson ? toJson(call) : toLine(call, style)));
    await board.show(lines, running);
    await sleep(POLL_MS, stopped);
  }
  await board.show([], []);
  return EXIT.interrupted;
}

/** Merges the calls of journals and file, each once. */
class Feed {
  readonly #source: AnalyticsReader;
  readonly #filter: CallFilter;
  readonly #follower: LiveCallFollower;
  readonly #seen = new Set<string>();
  #backlog: number;
  #sequence = 0;
  #dataVersion: unknown;

  constructor(source: AnalyticsReader, filter: CallFilter, backlog: number) {
    this.#source = source;
    this.#filter = filter;
    this.#backlog = backlog;
    this.#follower = new LiveCallFollower(source.path);
  }

  poll(): { readonly ended: readonly LiveCall[]; readonly running: readonly LiveCall[] } {
    const { ended, running } = this.#follower.poll();
    const found = [...ended.filter((call) => matches(call, this.#filter)), ...this.#committed()];
    const fresh = found.filter(({ id }) => {
      if (this.#seen.has(id)) return false;
      this.#seen.add(id);
      return true;
    });
    for (const id of this.#seen) {
      if (this.#seen.size <= MAX_REMEMBERED) break;
      this.#seen.delete(id);
    }
    fresh.sort((a, b) => a.startedAt + a.durationMs - b.startedAt - b.durationMs);
    const shown = this.#backlog === 0 ? fresh : fresh.slice(-this.#backlog);
    this.#backlog = 0;
    return { ended: shown, running: running.filter((call) => matches(call, this.#filter)) };
  }

  #committed(): readonly LiveCall[] {
    const { $client } = this.#source;
    const dataVersion = $client.query("pragma data_version").values()[0]?.[0];
    if (dataVersion === this.#dataVersion) return [];
    const isFirst = this.#dataVersion === undefined;
    this.#dataVersion = dataVersion;
    if (isFirst) {
      const last = $client.query("select max(sequence) from tool_calls").values()[0]?.[0];
      this.#sequence = Number(last ?? 0);
      return topCalls(this.#source, this.#filter, "startedAt", Math.max(1, this.#backlog));
    }
    const calls: LiveCall[] = [];
    for (;;) {
      const page = callsAfter(this.#source, this.#filter, this.#sequence, PAGE_ROWS);
      calls.push(...page);
      this.#sequence = page.at(-1)?.sequence ?? this.#sequence;
      if (page.length < PAGE_ROWS) return calls;
    }
  }
}

/** Applies a filter like the queries do, to calls that are not in the file yet. */
function matches(
  call: LiveCall,
  { tools, servers, clients, sessionId, statuses }: CallFilter,
): boolean {
  return (
    matchesPatterns(call.toolName, tools) &&
    matchesPatterns(call.serverName, servers) &&
    matchesPatterns(call.clientName, clients) &&
    (sessionId === undefined || call.sessionId === sessionId) &&
    (!statuses?.length || statuses.includes(call.status))
  );
}

interface Style {
  readonly zone: string;
  readonly terminal: Terminal;
  readonly hasColor: boolean;
}

/** Prints permanent lines, and below them the running calls, which are redrawn. */
class Board {
  readonly #style: Style;
  readonly #isLive: boolean;
  #drawn = 0;

  constructor(style: Style, isLive: boolean) {
    this.#style = style;
    this.#isLive = isLive;
  }

  async show(lines: readonly string[], running: readonly LiveCall[]): Promise<void> {
    // Move up to the first redrawn line and clear from there.
    const erase = this.#drawn === 0 ? "" : `\u001B[${this.#drawn}A\u001B[J`;
    const now = Date.now();
    const live = this.#isLive
      ? running.map((call) =>
          toLine({ ...call, durationMs: now - call.startedAt }, this.#style, "running"),
        )
      : [];
    this.#drawn = live.length;
    const text = [...lines, ...live].map((line) => `${line}\n`).join("");
    if (erase + text !== "") await this.#style.terminal.out(erase + text);
  }
}

const CLOCK_COLUMNS = 8;
const STATUS_COLUMNS = 14;
const DURATION_COLUMNS = 11;

function toLine(
  call: LiveCall,
  { zone, terminal, hasColor }: Style,
  status: string = call.status,
): string {
  const time = clockTime(call.startedAt, zone).padEnd(CLOCK_COLUMNS);
  const parties = [call.clientName, call.serverName].filter((name) => name !== null).join(" → ");
  const head = `${time}  ${plain(status).padEnd(STATUS_COLUMNS)}${duration(call.durationMs).padStart(DURATION_COLUMNS)}  `;
  const rest = plain([call.toolName, parties && `(${parties})`, call.errorMessage ?? ""].join(" "));
  const line = head + elide(rest, Math.max(20, terminal.columns - head.length - 1));
  return paint(line, status === "running" ? "dim" : toneOfStatus(status), hasColor);
}

/** Resolves after `ms` milliseconds, or when stopped. */
function sleep(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stopped.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stopped.addEventListener("abort", end);
  });
}

/** Returns a signal that the first SIGINT or SIGTERM aborts; a second one ends the process. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  const signals = ["SIGINT", "SIGTERM"] as const;
  const stop = () => {
    for (const signal of signals) process.off(signal, stop);
    controller.abort();
  };
  for (const signal of signals) process.on(signal, stop);
  return controller.signal;
}
