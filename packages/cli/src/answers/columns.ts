/** Columns that several commands share. */
import type { CallSummary, Figures, LiveCall } from "@toolmeter/core/queries";
import type { Column, Tone } from "../output/page.ts";

const GOOD_STATUSES: ReadonlySet<string> = new Set(["success", "input_required", "task"]);

export function toneOfStatus(status: string): Tone | undefined {
  if (GOOD_STATUSES.has(status)) return undefined;
  return status === "cancelled" ? "warn" : "bad";
}

export function toneOfRate(rate: number): Tone | undefined {
  if (rate >= 0.1) return "bad";
  return rate >= 0.02 ? "warn" : undefined;
}

export const TOOL: Column<{ readonly toolName: string }> = {
  header: "tool",
  value: ({ toolName }) => toolName,
};

export const FIGURES: readonly Column<Figures>[] = [
  { header: "calls", kind: "count", value: ({ calls }) => calls },
  { header: "failed", kind: "count", value: ({ failures }) => failures },
  {
    header: "error rate",
    shortHeader: "errors",
    kind: "rate",
    value: ({ failureRate }) => failureRate,
    tone: ({ failureRate }) => toneOfRate(failureRate),
  },
  { header: "p50", kind: "ms", value: ({ p50Ms }) => p50Ms },
  { header: "p95", kind: "ms", value: ({ p95Ms }) => p95Ms },
  { header: "p99", kind: "ms", value: ({ p99Ms }) => p99Ms },
];

export const OUTPUT_TOKENS: Column<{ readonly outputTokens: number | null }> = {
  header: "output tokens",
  shortHeader: "tokens",
  kind: "tokens",
  value: ({ outputTokens }) => outputTokens,
};

type ListedCall = CallSummary | LiveCall;

export const CALL: readonly Column<ListedCall>[] = [
  { header: "time", kind: "time", value: ({ startedAt }) => startedAt },
  { header: "tool", value: ({ toolName }) => toolName },
  { header: "status", value: ({ status }) => status, tone: ({ status }) => toneOfStatus(status) },
  { header: "duration", kind: "ms", value: ({ durationMs }) => durationMs },
  OUTPUT_TOKENS,
  { header: "client", value: ({ clientName }) => clientName },
  { header: "server", value: ({ serverName }) => serverName },
  { header: "session", value: ({ sessionId }) => sessionId },
];

export const CALL_MESSAGE: Column<ListedCall> = {
  header: "message",
  value: ({ errorMessage }) => errorMessage,
};
