import type {
  SessionDetails,
  ToolCallHandle,
  ToolCallStart,
  ToolDefinition,
} from "@toolmeter/core";
import type { BoundedCopy } from "@toolmeter/core/bounded-copy";
import { hashOfShape, hashOfValue } from "./fingerprint.ts";
import {
  type HeaderReader,
  type Identity,
  identityOfInitialize,
  identityOfInitialized,
  identityOfRequest,
  identityOfResult,
  traceContext,
} from "./identity.ts";
import {
  type Direction,
  type JsonObject,
  type RequestId,
  isObject,
  isRequestId,
  keyOfText,
  objectAt,
  shortTextAt,
  textAt,
} from "./message.ts";
import {
  type CalledTool,
  DISCONNECTED,
  SERVER_ENDED,
  outcomeOfCancellation,
  outcomeOfError,
  outcomeOfResult,
  type Outcome,
} from "./outcome.ts";
import { readable } from "./readable.ts";
import type { Recorder } from "./recorder.ts";
import { TOKEN_METHOD, sizeOfLength, sizeOfResult, sizeOfText } from "./size.ts";

/** What a connection cannot read off its messages. */
export interface ConnectionContext {
  /** `stdio`, `streamable_http`, `sse`, `in_memory`; undefined if nothing tells. */
  readonly transport?: string | undefined;
  /** The transport's session id; it comes with the answer to `initialize`. */
  readonly sessionId?: () => string | undefined;
  /** Who is known before a message says it. */
  readonly identity?: Identity;
}

interface Pending {
  readonly method: string;
  readonly call?: Call | undefined;
}

interface Call {
  readonly handle: ToolCallHandle;
  readonly toolName: string;
  readonly params: JsonObject;
  readonly header: HeaderReader | undefined;
  readonly definitionHash: string | undefined;
}

/** Requests that are followed at once at most: a peer that never answers must not fill memory. */
const MAX_PENDING = 10_000;

/** The requests whose answers tell something. */
const FOLLOWED: ReadonlySet<unknown> = new Set([
  "initialize",
  "server/discover",
  "tools/call",
  "tools/list",
]);

/** Tools of one listing that are read. */
const MAX_TOOLS = 1_000;

/** Characters of definitions that are read before the event loop has its turn. */
const MAX_LISTED = 262_144;

/** Characters of arguments that are read. */
const MAX_ARGUMENTS = 262_144;

/** Requests whose call is recorded: a message that passes two taps is one call. */
const observed = new WeakSet<object>();

/**
 * Reads the messages of one connection and records the tool calls among them, with their outcome as the
 * client saw it. Which side is observed does not matter: a request that goes one way is settled by the answer
 * that goes the other way.
 */
export class Connection {
  readonly #recorder: Recorder;
  readonly #context: ConnectionContext;
  /** By direction, type of id and id: ids restart with each client, and `0` is not `"0"`. */
  readonly #pending = new Map<string, Pending>();
  readonly #connectionId = Bun.randomUUIDv7();
  /** The tools as this connection listed them last. */
  readonly #definitions = new Map<string, string>();
  /**
   * Whether the other side may outlive this process: then a call is recorded before it is answered. In memory both
   * die together, and nobody has to wait: it is recorded a few milliseconds later.
   */
  readonly #isDurable: boolean;
  #identity: Identity;
  #session: string | undefined;

  constructor(recorder: Recorder, context: ConnectionContext = {}) {
    this.#recorder = recorder;
    this.#context = context;
    this.#identity = context.identity ?? {};
    this.#isDurable = context.transport !== "in_memory";
  }

  /** Takes note of a message, or of a batch of them. */
  observe(direction: Direction, message: unknown, header?: HeaderReader): void {
    if (Array.isArray(message)) {
      for (const part of message) this.observe(direction, part, header);
      return;
    }
    if (!isObject(message)) return;
    const { id, method } = message;
    if (typeof method === "string") {
      if (isRequestId(id)) this.#onRequest(direction, id, method, message, header);
      else if (method === "notifications/cancelled")
        this.#onCancelled(direction, objectAt(message, "params"));
    } else if (isRequestId(id)) this.#onResponse(direction, id, message);
  }

  /**
   * Nothing comes any more: the session ends, and so do the calls in flight. They are `cancelled`, or `abandoned` if
   * the reason is `server_ended`.
   */
  closed(reason = "closed"): void {
    const outcome = reason === "server_ended" ? SERVER_ENDED : DISCONNECTED;
    for (const { call } of this.#pending.values()) if (call) this.#end(call, () => outcome);
    this.#pending.clear();
    if (this.#session !== undefined) this.#recorder.telemetry?.endSession(this.#session, reason);
    this.#session = undefined;
  }

  #onRequest(
    direction: Direction,
    id: RequestId,
    method: string,
    message: JsonObject,
    header: HeaderReader | undefined,
  ): void {
    if (!FOLLOWED.has(keyOfText(method)) || this.#pending.size >= MAX_PENDING) return;
    const params = objectAt(message, "params");
    if (method === "initialize") {
      this.#identity = { ...this.#identity, ...identityOfInitialize(params) };
    }
    let call: Call | undefined;
    if (method === "tools/call") {
      if (observed.has(message)) return;
      observed.add(message);
      call = this.#start(direction, id, message, header);
    }
    const key = keyOf(direction, id);
    const forgotten = this.#pending.get(key)?.call;
    // An id that comes again: nobody waits for the first one any more.
    if (forgotten) this.#end(forgotten, () => ({ status: "cancelled" }));
    this.#pending.set(key, { method, call });
  }

  #onResponse(direction: Direction, id: RequestId, message: JsonObject): void {
    const key = keyOf(direction === "sent" ? "received" : "sent", id);
    const pending = this.#pending.get(key);
    if (!pending) return;
    this.#pending.delete(key);
    const isResult = isObject(message["result"]);
    const result = objectAt(message, "result");
    if (isResult) this.#learnServer(pending.method, result);
    if (pending.call) {
      const outcomeOf = (tool: CalledTool) =>
        isResult ? outcomeOfResult(result, tool) : outcomeOfError(objectAt(message, "error"), tool);
      this.#end(pending.call, outcomeOf, isResult ? result : undefined);
    } else if (pending.method === "tools/list") this.#onListed(result);
  }

  /** Servers name themselves once in 2025, and in the `_meta` of each result in 2026. */
  #learnServer(method: string, result: JsonObject): void {
    if (method !== "initialize" && this.#recorder.knowsServer) return;
    const identity =
      method === "initialize" ? identityOfInitialized(result) : identityOfResult(result);
    this.#identity = { ...this.#identity, ...identity };
    this.#recorder.sawServer(identity);
  }

  #onCancelled(direction: Direction, params: JsonObject): void {
    const { requestId } = params;
    if (!isRequestId(requestId)) return;
    const key = keyOf(direction, requestId);
    const call = this.#pending.get(key)?.call;
    // No answer follows; one that comes nevertheless is of no interest to the client.
    this.#pending.delete(key);
    if (call) this.#end(call, () => outcomeOfCancellation(params));
  }

  #onListed(result: JsonObject): void {
    const tools = Array.isArray(result["tools"]) ? result["tools"].slice(0, MAX_TOOLS) : [];
    this.#learnTools(tools.filter(isObject));
  }

  /** Reads a part of a long listing now, and the rest when others had their turn. */
  #learnTools(tools: readonly JsonObject[]): void {
    const listed: ToolDefinition[] = [];
    let next = 0;
    for (let bytes = 0; next < tools.length && bytes < MAX_LISTED; next++) {
      const definitions = this.#recorder.sawTools(tools.slice(next, next + 1));
      for (const definition of definitions) bytes += definition.bytes;
      listed.push(...definitions);
    }
    if (next < tools.length) {
      const rest = tools.slice(next);
      setImmediate(() => this.#recorder.guard(() => this.#learnTools(rest))).unref();
    }
    for (const { toolName, hash } of listed) this.#definitions.set(toolName, hash);
    if (this.#session === undefined || listed.length === 0) return;
    const definitionHashes = listed.map(({ hash }) => hash);
    this.#recorder.telemetry?.startSession(this.#session, { definitionHashes });
  }

  /** Marks the start of a call: on disk before the tool runs, but for those whose client dies with it. */
  #start(
    direction: Direction,
    id: RequestId,
    message: JsonObject,
    header: HeaderReader | undefined,
  ): Call | undefined {
    const { telemetry } = this.#recorder;
    if (!telemetry) {
      this.#recorder.missed();
      return undefined;
    }
    const params = objectAt(message, "params");
    const toolName = shortTextAt(params, "name") ?? "(none)";
    const definitionHash = this.#definitions.get(toolName) ?? this.#recorder.definitionOf(toolName);
    const identify = () =>
      this.#recorder.complete(identityOfRequest(objectAt(params, "_meta"), header, this.#identity));
    const transport = this.#context.transport ?? (header ? "streamable_http" : undefined);
    const sessionId = this.#openSession(direction, identify, transport, header);
    const describe = (): ToolCallStart => ({
      toolName,
      requestId: id,
      sessionId,
      ...identify(),
      transport,
      arguments: this.#recorder.payload(params["arguments"], toolName, "arguments"),
    });
    const handle = telemetry.startToolCall(this.#isDurable ? describe() : describe);
    return { handle, toolName, params, header, definitionHash };
  }

  /**
   * The session of a call, opened by its first: what the transport calls one; else the connection, if it lasts.
   * A request over HTTP without a session id stands alone.
   */
  #openSession(
    direction: Direction,
    identify: () => Identity,
    transport: string | undefined,
    header: HeaderReader | undefined,
  ): string | undefined {
    const named = this.#context.sessionId?.();
    const isAlone =
      direction === "received" && (header !== undefined || transport === "streamable_http");
    const sessionId = named ?? (isAlone ? undefined : this.#connectionId);
    if (sessionId === undefined || sessionId === this.#session) return sessionId;
    this.#session = sessionId;
    const details: SessionDetails = {
      kind: named === undefined ? "connection" : "session",
      ...identify(),
      transport,
      definitionHashes: [...new Set(this.#definitions.values())],
    };
    this.#recorder.telemetry?.startSession(sessionId, details);
    return sessionId;
  }

  #end(call: Call, outcomeOf: (tool: CalledTool) => Outcome, result?: JsonObject): void {
    const outcome = () => {
      const known = outcomeOf(toCalledTool(call));
      this.#recorder.ended(known.status);
      return known;
    };
    const more = () => {
      let details = {};
      // Arguments and results may be what no JSON can hold: the outcome stands.
      this.#recorder.guard(() => (details = this.#detailsOf(call, result)));
      return details;
    };
    if (this.#isDurable) call.handle.end(outcome(), more);
    else call.handle.end(() => ({ ...more(), ...outcome() }));
  }

  #detailsOf({ handle, toolName, params, header, definitionHash }: Call, result?: JsonObject) {
    const input = readable(params["arguments"], MAX_ARGUMENTS);
    const json = input.isWhole ? JSON.stringify(input.value) : undefined;
    // Of more than was read no hash: it would be equal for different arguments.
    const argumentHash = json === undefined ? undefined : hashOfValue(json);
    const turn = `${this.#connectionId} ${toolName} ${argumentHash}`;
    const continuedFrom = this.#recorder.continuedFrom(params, turn);
    if (result?.["resultType"] === "input_required") this.#recorder.asked(result, turn, handle.id);
    return {
      ...traceContext(objectAt(params, "_meta"), header),
      // The server may have told its name with the answer.
      ...this.#recorder.complete({}),
      definitionHash,
      continuedFrom,
      argumentHash,
      ...(input.value !== undefined && detailsOfArguments(input, json)),
      ...(result && this.#detailsOfResult(toolName, result)),
    };
  }

  #detailsOfResult(toolName: string, result: JsonObject) {
    const { bytes, tokens, contentTypes } = sizeOfResult(result);
    return {
      outputBytes: bytes,
      outputTokens: tokens,
      tokenMethod: TOKEN_METHOD,
      outputContentTypes: contentTypes,
      result: this.#recorder.payload(result, toolName, "result"),
    };
  }
}

function toCalledTool({ toolName, params }: Call): CalledTool {
  const input = params["arguments"];
  const isWhole = textAt(params, "name") !== undefined && (input === undefined || isObject(input));
  return { toolName, isMalformed: !isWhole };
}

function detailsOfArguments(input: BoundedCopy, json: string | undefined) {
  const { bytes, tokens } = json === undefined ? sizeOfLength(input.length) : sizeOfText(json);
  return {
    argumentShapeHash: hashOfShape(input.value),
    inputBytes: bytes,
    inputTokens: tokens,
    tokenMethod: TOKEN_METHOD,
  };
}

function keyOf(direction: Direction, id: RequestId): string {
  return `${direction} ${typeof id} ${typeof id === "string" ? keyOfText(id) : id}`;
}
