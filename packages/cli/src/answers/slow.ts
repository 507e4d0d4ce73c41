import { type CallOrder, topCalls } from "@toolmeter/core/queries";
import { InputError } from "@toolmeter/present";
import { type AskOptions, answer } from "./ask.ts";
import { CALL, CALL_MESSAGE } from "./columns.ts";
import { table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";

const ORDERS: readonly CallOrder[] = [
  "durationMs",
  "startedAt",
  "outputTokens",
  "outputBytes",
  "inputBytes",
];

/** Prints the slowest calls, or with `sort` the largest or the latest. */
export function slow(options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, (source, { filter, limit, sort = "durationMs" }) => {
    const order = ORDERS.find((known) => known === sort);
    if (order === undefined) {
      throw new InputError(
        `Expected --sort to be one of ${ORDERS.join(", ")}, got ${JSON.stringify(sort)}.`,
      );
    }
    // SQLite treats a negative limit as no limit.
    const rows = topCalls(source, filter, order, Number.isFinite(limit) ? limit : -1);
    const note = rows.length === 0 ? "No calls in this period." : undefined;
    return { data: rows, sections: [table(rows, [...CALL, CALL_MESSAGE], { note })] };
  });
}
