import type { Importer, ToolCallStatus, ToolDefinition } from "@toolmeter/core";
import { CLIENTS, type DemoServer, type DemoTool, SERVERS } from "./catalog.ts";
import { Random } from "./random.ts";

export interface TrafficOptions {
  readonly calls: number;
  readonly days: number;
  /** End of the traffic, in milliseconds since 1970 UTC. */
  readonly until: number;
  readonly seed: number;
  /** Called with the number of calls written so far. */
  readonly onProgress?: (calls: number) => void;
}

/** Maximum number of sessions; with more calls, sessions get longer instead, like an agent that works for days. */
const MAX_SESSIONS = 50_000;
const CALLS_PER_SESSION = 18;

/** The definition of this tool was edited this long before the end; since then, fewer calls are rejected. */
const EDITED = { toolName: "create_issue", daysAgo: 3, rejected: 0.03 };
/** This tool is slower in the last week. */
const SLOWED = { toolName: "query", daysAgo: 7, factor: 2.2 };

const DAY_MS = 86_400_000;

interface DefinedTool extends DemoTool {
  readonly before: ToolDefinition;
  readonly definition: ToolDefinition;
}

/** Writes invented calls of several clients to several servers, equal for equal options, and commits them. */
export function writeTraffic(importer: Importer, options: TrafficOptions): void {
  const random = new Random(options.seed);
  const servers = SERVERS.map((server) => ({ ...server, tools: defined(server.tools) }));
  const sessions = Math.min(MAX_SESSIONS, Math.ceil(options.calls / CALLS_PER_SESSION));
  const starts = sessionStarts(random, sessions, options);
  let made = 0;
  for (const [index, startedAt] of starts.entries()) {
    const left = (options.calls - made) / (starts.length - index);
    const isLast = index === starts.length - 1;
    const calls = isLast ? options.calls - made : Math.round(left * (0.2 + 1.6 * random.next()));
    const count = Math.min(calls, options.calls - made);
    if (count <= 0) continue;
    writeSession(importer, random, { servers, startedAt, calls: count, until: options.until });
    made += count;
    options.onProgress?.(made);
  }
  importer.commit();
}

function defined(tools: readonly DemoTool[]): [DefinedTool, ...DefinedTool[]] {
  const [first, ...others] = tools.map((tool) => ({
    ...tool,
    before: toDefinition(tool, ""),
    definition: toDefinition(
      tool,
      tool.name === EDITED.toolName ? " (labels: an array of names)" : "",
    ),
  }));
  if (!first) throw new Error("Expected a server with tools.");
  return [first, ...others];
}

function toDefinition({ name, description, parameters }: DemoTool, edit: string): ToolDefinition {
  const properties = Array.from({ length: parameters }, (_, index) => [
    `parameter_${index + 1}`,
    {
      type: "string",
      description: `Value for parameter ${index + 1} of ${name} (a string)${edit}`,
    },
  ]);
  const definition = {
    name,
    description: description + edit,
    inputSchema: { type: "object", properties: Object.fromEntries(properties) },
  };
  const json = JSON.stringify(definition);
  return {
    hash: new Bun.CryptoHasher("sha256").update(json).digest("hex"),
    toolName: name,
    definition,
    bytes: json.length,
    tokens: Math.ceil(json.length / 4),
    tokenMethod: "characters/4",
  };
}

/** Returns the start times of sessions: more by day than by night, and more on working days. */
function sessionStarts(random: Random, count: number, { days, until }: TrafficOptions): number[] {
  const starts: number[] = [];
  while (starts.length < count) {
    const at = Math.floor(until - random.next() * days * DAY_MS);
    const date = new Date(at);
    const isNight = date.getUTCHours() < 7 || date.getUTCHours() > 19;
    const isWeekend = date.getUTCDay() % 6 === 0;
    if (random.chance((isNight ? 0.15 : 1) * (isWeekend ? 0.3 : 1))) starts.push(at);
  }
  return starts.toSorted((a, b) => a - b);
}

interface Session {
  readonly servers: readonly (Omit<DemoServer, "tools"> & {
    readonly tools: [DefinedTool, ...DefinedTool[]];
  })[];
  readonly startedAt: number;
  readonly calls: number;
  readonly until: number;
}

function writeSession(importer: Importer, random: Random, session: Session): void {
  const { servers, startedAt, calls, until } = session;
  const [first, ...others] = servers;
  if (!first) return;
  const server = random.pick([first, ...others]);
  const client = random.pick(CLIENTS);
  const id = random.uuidV7(startedAt);
  const definitionOf = (tool: DefinedTool) =>
    startedAt < until - EDITED.daysAgo * DAY_MS ? tool.before : tool.definition;
  for (const tool of server.tools) importer.toolDefinition(definitionOf(tool), startedAt);
  let at = startedAt;
  let next: DefinedTool | undefined;
  let repeatedHash: string | undefined;
  const rows = [];
  for (let index = 0; index < calls; index += 1) {
    const tool: DefinedTool = next ?? random.pick(server.tools);
    const status = pickStatus(random, tool, at, until);
    const isSlower =
      status !== "timeout" && tool.name === SLOWED.toolName && at > until - SLOWED.daysAgo * DAY_MS;
    const durationMs = toDuration(random, tool, status) * (isSlower ? SLOWED.factor : 1);
    const hash: string = repeatedHash ?? random.uuid();
    rows.push({
      id: random.uuidV7(at),
      sessionId: id,
      startedAt: Math.floor(at),
      durationMs: Math.round(durationMs * 1_000) / 1_000,
      toolName: tool.name,
      status,
      ...errorOf(tool, status),
      requestId: index + 1,
      inputBytes: Math.ceil(random.logNormal(120, 0.8)),
      argumentHash: hash,
      argumentShapeHash: tool.name,
      definitionHash: definitionOf(tool).hash,
      ...(status === "success" && sizesOf(random, tool)),
    });
    at += durationMs + random.logNormal(4_000, 1);
    if (at >= until) at = until - random.next() * 1_000;
    repeatedHash = random.chance(tool.repeats ?? 0) ? hash : undefined;
    const isRetried = status === "rejected" && random.chance(0.8);
    next =
      repeatedHash || isRetried
        ? tool
        : server.tools.find(({ name }) => status === "error" && name === tool.substitute);
  }
  const isOpen = at > until - 120_000;
  importer.session(id, {
    kind: server.transport === "stdio" ? "connection" : "session",
    startedAt,
    clientName: client.name,
    clientVersion: client.version,
    protocolVersion: client.protocolVersion,
    serverName: server.name,
    serverVersion: server.version,
    transport: server.transport,
    definitionHashes: server.tools.map((tool) => definitionOf(tool).hash),
    ...(!isOpen && { endedAt: Math.floor(at), endReason: "closed" }),
  });
  for (const row of rows) importer.toolCall(row);
}

function pickStatus(
  random: Random,
  { name, outcomes = {} }: DemoTool,
  at: number,
  until: number,
): ToolCallStatus {
  let left = random.next();
  const isEdited = name === EDITED.toolName && at > until - EDITED.daysAgo * DAY_MS;
  const {
    error = 0.005,
    rejected = 0.004,
    timeout = 0,
    cancelled = 0.003,
    abandoned = 0,
  } = outcomes;
  const shares = {
    error,
    rejected: isEdited ? EDITED.rejected : rejected,
    timeout,
    cancelled,
    abandoned,
  } as const;
  if ((left -= shares.error) < 0) return "error";
  if ((left -= shares.rejected) < 0) return "rejected";
  if ((left -= shares.timeout) < 0) return "timeout";
  if ((left -= shares.cancelled) < 0) return "cancelled";
  return left - shares.abandoned < 0 ? "abandoned" : "success";
}

function toDuration(random: Random, { medianMs }: DemoTool, status: ToolCallStatus): number {
  if (status === "rejected") return random.logNormal(0.4, 0.4);
  if (status === "timeout") return 60_000 + random.next() * 20;
  return random.logNormal(medianMs, status === "error" ? 0.9 : 0.7);
}

function errorOf({ name, errorMessage }: DemoTool, status: ToolCallStatus) {
  switch (status) {
    case "error":
      return {
        errorType: "tool_error",
        errorMessage: errorMessage?.startsWith("Invalid")
          ? "API rate limit exceeded"
          : (errorMessage ?? `${name} failed`),
      };
    case "rejected":
      return {
        errorType: "invalid_arguments",
        errorCode: -32_602,
        errorMessage: errorMessage?.startsWith("Invalid")
          ? errorMessage
          : `Invalid arguments for tool ${name}: parameter_1 is required`,
      };
    case "timeout":
      return { errorType: "timeout", errorMessage: "Request timed out" };
    default:
      return {};
  }
}

function sizesOf(random: Random, { tokens }: DemoTool) {
  const outputTokens = Math.ceil(random.logNormal(tokens, 0.6));
  return {
    outputTokens,
    outputBytes: outputTokens * 4 + 60,
    tokenMethod: "characters/4",
    outputContentTypes: { text: 1 },
  };
}
