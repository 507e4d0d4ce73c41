import {
  type CallSummary,
  type SessionSummary,
  findSessions,
  sessionCalls,
} from "@toolmeter/core/queries";
import { duration, isoTime, plain } from "@toolmeter/present";
import { type AskOptions, answer } from "./ask.ts";
import { toneOfStatus } from "./columns.ts";
import { CommandError } from "../failures/command-error.ts";
import { type Column, table } from "../output/page.ts";
import type { Terminal } from "../output/terminal.ts";

const BAR_COLUMNS = 24;

/** Prints the calls of one session as a waterfall. */
export function session(id: string, options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, (source, { zone, limit }) => {
    const [found, other] = findSessions(source, id);
    if (!found) {
      throw new CommandError(
        `Expected the id of a session, or part of it, but no id contains ${JSON.stringify(id)}. To list the latest: toolmeter sessions`,
      );
    }
    if (other) {
      throw new CommandError(
        `Expected the id of one session, but several ids contain ${JSON.stringify(id)}, such as ${found.id} and ${other.id}. Give a longer part.`,
      );
    }
    const all = sessionCalls(source, found.id, -1);
    const calls = options.limit === undefined ? all : all.slice(0, limit);
    const note = calls.length < all.length ? `… and ${all.length - calls.length} more` : undefined;
    return {
      data: { ...found, calls },
      sections: [
        [
          `${found.serverName ?? "a server"} ${found.serverVersion ?? ""} for ${found.clientName ?? "a client"} ${found.clientVersion ?? ""}`,
          `${isoTime(found.startedAt, zone)} · ${lengthOf(found)} · ${found.transport ?? "unknown transport"} · ${found.id}`,
        ].map(plain),
        table(calls, columnsFor(all), { note: all.length === 0 ? "No calls." : note }),
      ],
    };
  });
}

function lengthOf({ startedAt, endedAt, endReason }: SessionSummary): string {
  if (endedAt === null) return "open";
  return `${duration(endedAt - startedAt)}, then ${endReason ?? "closed"}`;
}

function columnsFor(calls: readonly CallSummary[]): readonly Column<CallSummary>[] {
  // Not Math.min(...): there may be more calls than a function accepts arguments.
  const [begin, end] = calls.reduce(
    ([from, to], { startedAt, durationMs }) => [
      Math.min(from, startedAt),
      Math.max(to, startedAt + 1, startedAt + durationMs),
    ],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  const column = (ms: number) => Math.floor(((ms - begin) / (end - begin)) * (BAR_COLUMNS - 1));
  const bar = ({ startedAt, durationMs }: CallSummary) => {
    const from = column(startedAt);
    return " ".repeat(from) + "█".repeat(Math.max(1, column(startedAt + durationMs) - from));
  };
  return [
    { header: "after", kind: "ms", value: ({ startedAt }) => startedAt - begin },
    { header: "tool", value: ({ toolName }) => toolName },
    {
      header: "",
      kind: "bar",
      value: bar,
      tone: ({ status }) => toneOfStatus(status) ?? "good",
    },
    { header: "duration", kind: "ms", value: ({ durationMs }) => durationMs },
    { header: "status", value: ({ status }) => status, tone: ({ status }) => toneOfStatus(status) },
    { header: "output tokens", kind: "tokens", value: ({ outputTokens }) => outputTokens },
    { header: "message", value: ({ errorMessage }) => errorMessage },
  ];
}
