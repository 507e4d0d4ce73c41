import type { z } from "zod";
import { toJsonText } from "./json.ts";
import type { sessionDetailsSchema, toolDefinitionSchema } from "./metadata.ts";
import type { SessionStart } from "./row.ts";
import { MAX_ATTRIBUTES_LENGTH, MAX_NAME_LENGTH, cut, toName } from "./texts.ts";

/** Longest stored JSON text of a tool definition, in UTF-16 code units. */
const MAX_DEFINITION_LENGTH = 65_536;

/** Converts validated session details to the session's start record. */
export function toSessionStart(
  sessionId: string,
  recorderId: string,
  details: z.output<typeof sessionDetailsSchema>,
  now: number,
): SessionStart {
  return {
    id: cut(sessionId, MAX_NAME_LENGTH),
    recordedAt: now,
    recorderId,
    kind: details.kind ?? null,
    startedAt: Math.round(details.startedAt ?? now),
    ...toPartyColumns(details),
    attributes: toJsonText(details.attributes, MAX_ATTRIBUTES_LENGTH),
    ...(details.definitionHashes && {
      definitionHashes: details.definitionHashes.map((hash) => cut(hash, MAX_NAME_LENGTH)),
    }),
  };
}

/** A tool definition and the time at which it was seen. */
export type SeenDefinition = {
  readonly hash: string;
  readonly toolName: string;
  readonly definition: string;
  readonly bytes: number;
  readonly tokens: number;
  readonly tokenMethod: string;
  readonly seenAt: number;
};

export function toSeenDefinition(
  { hash, toolName, definition, bytes, tokens, tokenMethod }: z.output<typeof toolDefinitionSchema>,
  now: number,
): SeenDefinition {
  return {
    hash: cut(hash, MAX_NAME_LENGTH),
    toolName: cut(toolName, MAX_NAME_LENGTH),
    definition: toJsonText(definition, MAX_DEFINITION_LENGTH) ?? "null",
    bytes,
    tokens,
    tokenMethod: cut(tokenMethod, MAX_NAME_LENGTH),
    seenAt: now,
  };
}

/** The end of one session. Only the first end of a session counts. */
export type SessionEnd = {
  readonly sessionId: string;
  readonly endedAt: number;
  readonly reason: string | null;
};

export function toSessionEnd(sessionId: string, reason: string | null, now: number): SessionEnd {
  return {
    sessionId: cut(sessionId, MAX_NAME_LENGTH),
    endedAt: now,
    reason: toName(reason ?? undefined),
  };
}

type Parties = Pick<
  z.output<typeof sessionDetailsSchema>,
  "clientName" | "clientVersion" | "serverName" | "serverVersion" | "protocolVersion" | "transport"
>;

function toPartyColumns(parties: Parties) {
  return {
    clientName: toName(parties.clientName),
    clientVersion: toName(parties.clientVersion),
    serverName: toName(parties.serverName),
    serverVersion: toName(parties.serverVersion),
    protocolVersion: toName(parties.protocolVersion),
    transport: toName(parties.transport),
  };
}
