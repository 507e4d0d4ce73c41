import {
  type AnalyticsReader,
  TOOL_CALL_STATUSES,
  openAnalyticsReader,
} from "@toolmeter/core/queries";
import { type Question as Asked, type QuestionTexts, parseQuestion } from "@toolmeter/present";
import type { Page } from "../output/page.ts";
import { type PrintOptions, print } from "../output/print.ts";
import type { Terminal } from "../output/terminal.ts";
import type { Selection } from "./pick.ts";

/** The options of every command that queries the file. */
export interface AskOptions extends QuestionTexts, PrintOptions {
  readonly db?: string | undefined;
  /** Maximum number of rows to print; 0 for all. @default 20 */
  readonly limit?: number | undefined;
  readonly sort?: string | undefined;
}

export interface Question extends Asked, Selection {}

const DEFAULT_LIMIT = 20;

/**
 * Parses command-line options to a question.
 * @throws InputError
 */
export function toQuestion(
  options: QuestionTexts & Pick<AskOptions, "limit" | "sort">,
  now: number,
): Question {
  const { limit = DEFAULT_LIMIT, sort } = options;
  return {
    ...parseQuestion(options, now, TOOL_CALL_STATUSES),
    limit: limit === 0 ? Number.POSITIVE_INFINITY : limit,
    sort,
  };
}

/** Queries the file and prints the result. */
export async function answer(
  options: AskOptions,
  terminal: Terminal,
  ask: (source: AnalyticsReader, question: Question) => Page | Promise<Page>,
): Promise<void> {
  const question = toQuestion(options, Date.now());
  using source = await openAnalyticsReader(options.db);
  await print(await ask(source, question), options, question.zone, terminal);
}
