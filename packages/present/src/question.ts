import type { CallFilter, ToolCallStatus } from "@toolmeter/core/queries";
import { InputError } from "./input-error.ts";
import { localZone, parseMoment, parseZone } from "./times.ts";

/** A question as text: options of a command line, or parameters of a URL. */
export interface QuestionTexts {
  /** Start of the period, for `parseMoment`. @default "7d" */
  readonly since?: string | undefined;
  /** End of the period, for `parseMoment`. @default "all", which means no end */
  readonly until?: string | undefined;
  /** Names or patterns, like `server` and `client`. */
  readonly tool?: readonly string[] | undefined;
  readonly server?: readonly string[] | undefined;
  readonly client?: readonly string[] | undefined;
  readonly session?: string | undefined;
  readonly status?: readonly string[] | undefined;
  /** A time zone. @default the system's time zone */
  readonly tz?: string | undefined;
}

/** A parsed question: defaults applied, times absolute, statuses validated. */
export interface Question {
  /** Without `until`, calls with a start time in the future (from a clock that was ahead) are included. */
  readonly filter: CallFilter;
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
  readonly zone: string;
}

const DEFAULT_SINCE = "7d";

/**
 * Parses a question.
 * @param statuses All statuses: `TOOL_CALL_STATUSES` of the core.
 * @throws InputError
 */
export function parseQuestion(
  texts: QuestionTexts,
  now: number,
  statuses: readonly ToolCallStatus[],
): Question {
  const zone = texts.tz === undefined ? localZone() : parseZone(texts.tz);
  const since = parseMoment(texts.since ?? DEFAULT_SINCE, now, zone);
  const until = parseMoment(texts.until ?? "all", now, zone);
  if (since !== undefined && until !== undefined && since >= until) {
    throw new InputError("Expected since to be before until. Swap them.");
  }
  return {
    filter: {
      since,
      until,
      tools: texts.tool,
      servers: texts.server,
      clients: texts.client,
      sessionId: texts.session,
      statuses: texts.status?.map((text) => parseStatus(text, statuses)),
    },
    now,
    zone,
  };
}

function parseStatus(text: string, statuses: readonly ToolCallStatus[]): ToolCallStatus {
  const status = statuses.find((known) => known === text);
  if (status === undefined) {
    throw new InputError(
      `Expected a status, one of ${statuses.join(", ")}, got ${JSON.stringify(text)}.`,
    );
  }
  return status;
}
