import {
  type AnalyticsReader,
  type CallFilter,
  TOOL_CALL_STATUSES,
  type ToolCallStatus,
  openAnalyticsReader,
} from "@toolmeter/core/queries";
import { UsageError } from "../failures/command-error.ts";
import type { Page } from "../output/page.ts";
import { type Format, render } from "../output/render.ts";
import type { Terminal } from "../output/terminal.ts";
import { localZone, parseMoment, parseZone } from "../time.ts";

/** The options of every command that asks the file. */
export interface AskOptions {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly tool?: readonly string[] | undefined;
  readonly server?: readonly string[] | undefined;
  readonly client?: readonly string[] | undefined;
  readonly session?: string | undefined;
  readonly status?: readonly string[] | undefined;
  readonly tz?: string | undefined;
  readonly format?: Format | undefined;
  readonly json?: true | undefined;
  readonly color?: boolean | undefined;
  readonly db?: string | undefined;
  readonly quiet?: true | undefined;
  readonly limit?: number | undefined;
  readonly sort?: string | undefined;
}

/** What is asked, with everything said and nothing left to guess. */
export interface Question {
  /** Without `--until` it has no end: a call stamped by a clock that ran ahead is one of the latest. */
  readonly filter: CallFilter;
  /** The period of the same length just before; `undefined` where there is none. */
  readonly before: CallFilter | undefined;
  /** Without a beginning it is all time. */
  readonly since: number | undefined;
  /** The end of the time as it is shown, compared and divided: `--until`, else now. */
  readonly until: number;
  readonly now: number;
  readonly zone: string;
  readonly limit: number;
  readonly sort: string | undefined;
}

const DEFAULT_SINCE = "7d";
const DEFAULT_LIMIT = 20;

export function toQuestion(options: Omit<AskOptions, "format">, now: number): Question {
  const zone = options.tz === undefined ? localZone() : parseZone(options.tz);
  const since = parseMoment(options.since ?? DEFAULT_SINCE, now, zone);
  const end = parseMoment(options.until ?? "all", now, zone);
  const until = end ?? now;
  if (since !== undefined && end !== undefined && since >= end) {
    throw new UsageError("Expected --since to be before --until. Exchange them.");
  }
  const limit = options.limit ?? DEFAULT_LIMIT;
  const filter = {
    since,
    until: end,
    tools: options.tool,
    servers: options.server,
    clients: options.client,
    sessionId: options.session,
    statuses: options.status?.map(toStatus),
  };
  return {
    filter,
    before:
      since === undefined || since >= until
        ? undefined
        : { ...filter, since: since - (until - since), until: since },
    since,
    until,
    now,
    zone,
    limit: limit === 0 ? Number.POSITIVE_INFINITY : limit,
    sort: options.sort,
  };
}

function toStatus(text: string): ToolCallStatus {
  const status = TOOL_CALL_STATUSES.find((known) => known === text);
  if (status === undefined) {
    throw new UsageError(
      `Expected a status, one of ${TOOL_CALL_STATUSES.join(", ")}, got ${JSON.stringify(text)}.`,
    );
  }
  return status;
}

/** Asks the file, and writes the answer as it was asked for. */
export async function answer(
  options: AskOptions,
  terminal: Terminal,
  ask: (source: AnalyticsReader, question: Question) => Page | Promise<Page>,
): Promise<void> {
  const question = toQuestion(options, Date.now());
  using source = await openAnalyticsReader(options.db);
  await show(await ask(source, question), options, question.zone, terminal);
}

/** Writes a page in the format that was asked for. */
export async function show(
  page: Page,
  options: Pick<AskOptions, "color" | "format" | "json" | "quiet">,
  zone: string,
  terminal: Terminal,
): Promise<void> {
  const format = options.json ? "json" : (options.format ?? "table");
  const hasColor = terminal.hasColor && options.color !== false;
  const text = render(page, { format, zone, quiet: options.quiet }, { ...terminal, hasColor });
  await terminal.out(text);
}

/**
 * The rows in the order that was asked for (numbers from the largest, texts from A), and no more of them than asked for.
 * @param rows In the order that is usual.
 */
export function pick<Row extends object>(
  rows: readonly Row[],
  { sort, limit }: Pick<Question, "limit" | "sort">,
): { readonly rows: readonly Row[]; readonly note: string | undefined } {
  const sorted = sort === undefined ? rows : rows.toSorted(byField(rows, sort));
  const more = sorted.length - limit;
  return {
    rows: sorted.slice(0, limit),
    note: more > 0 ? `… and ${more} more: --limit 0 shows all` : undefined,
  };
}

function byField<Row extends object>(rows: readonly Row[], field: string) {
  const fields = Object.keys(rows[0] ?? { [field]: 0 });
  if (!fields.includes(field)) {
    throw new UsageError(
      `Expected --sort to name a field, one of ${fields.join(", ")}, got ${JSON.stringify(field)}.`,
    );
  }
  const value = (row: Row): unknown => Reflect.get(row, field);
  return (a: Row, b: Row): number => {
    const [x, y] = [value(a), value(b)];
    if (typeof x === "string" && typeof y === "string") return x < y ? -1 : Number(x > y);
    // What has no value comes last.
    return Number(y ?? Number.NEGATIVE_INFINITY) - Number(x ?? Number.NEGATIVE_INFINITY) || 0;
  };
}
