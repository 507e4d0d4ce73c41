import type { Call } from "./call.ts";
import {
  type ConversationContext,
  type ConversationOptions,
  CallRecorder,
} from "./call-recorder.ts";
import {
  type HeaderReader,
  type Identity,
  identityOfInitialize,
  identityOfInitialized,
  identityOfResult,
} from "./identity.ts";
import {
  type Direction,
  type JsonObject,
  type RequestId,
  isObject,
  isRequestId,
  keyOfText,
  objectAt,
} from "./message.ts";
import {
  type CalledTool,
  DISCONNECTED,
  SERVER_ENDED,
  outcomeOfCancellation,
  outcomeOfError,
  outcomeOfResult,
} from "./outcome.ts";
import { PendingRequests } from "./pending-requests.ts";
import type { TargetState } from "./target-state.ts";

/** The requests whose answers tell something. */
const FOLLOWED: ReadonlySet<unknown> = new Set([
  "initialize",
  "server/discover",
  "tools/call",
  "tools/list",
]);

/** Requests whose call is recorded: a message that passes two taps is one call. */
const observed = new WeakSet<object>();

/**
 * Records the tool calls among the messages of one connection, with their outcome as the client saw it. Which side is
 * observed does not matter: a request that goes one way is settled by the answer that goes the other way.
 *
 * Nothing here throws: what cannot be read is counted in the target's report.
 */
export class Conversation {
  readonly #target: TargetState;
  readonly #calls: CallRecorder;
  readonly #pending = new PendingRequests();
  #identity: Identity;

  constructor(options: ConversationOptions, context: ConversationContext = {}) {
    this.#target = options.target;
    this.#identity = context.identity ?? {};
    this.#calls = new CallRecorder(options, context, () => this.#identity);
  }

  /** Reads a message, or a batch of them. */
  observe(direction: Direction, message: unknown, header?: HeaderReader): void {
    this.#calls.guard(() => {
      if (Array.isArray(message)) for (const part of message) this.observe(direction, part, header);
      else if (isObject(message)) this.#read(direction, message, header);
    });
  }

  /**
   * Nothing comes any more: the session ends, and so do the calls in flight. They are `cancelled`, or `abandoned` if
   * the reason is `server_ended`.
   */
  closed(reason = "closed"): void {
    const outcome = reason === "server_ended" ? SERVER_ENDED : DISCONNECTED;
    for (const { call } of this.#pending.takeAll())
      if (call) this.#calls.guard(() => this.#calls.end(call, () => outcome));
    this.#calls.guard(() => this.#calls.endSession(reason));
  }

  #read(direction: Direction, message: JsonObject, header: HeaderReader | undefined): void {
    const { id, method } = message;
    if (typeof method === "string") {
      if (isRequestId(id)) this.#onRequest(direction, id, method, message, header);
      else if (method === "notifications/cancelled")
        this.#onCancelled(direction, objectAt(message, "params"));
    } else if (isRequestId(id)) this.#onResponse(direction, id, message);
  }

  #onRequest(
    direction: Direction,
    id: RequestId,
    method: string,
    message: JsonObject,
    header: HeaderReader | undefined,
  ): void {
    if (!FOLLOWED.has(keyOfText(method)) || this.#pending.isFull) return;
    const params = objectAt(message, "params");
    if (method === "initialize")
      this.#identity = { ...this.#identity, ...identityOfInitialize(params) };
    let call: Call | undefined;
    if (method === "tools/call") {
      if (observed.has(message)) return;
      observed.add(message);
      call = this.#calls.start({ direction, id, params, header });
    }
    const replaced = this.#pending.add(direction, id, { method, call })?.call;
    if (replaced) this.#calls.end(replaced, () => ({ status: "cancelled" }));
  }

  #onResponse(direction: Direction, id: RequestId, message: JsonObject): void {
    const request = this.#pending.take(direction === "sent" ? "received" : "sent", id);
    if (!request) return;
    const { method, call } = request;
    const isResult = isObject(message["result"]);
    const result = objectAt(message, "result");
    if (isResult) this.#learnServer(method, result);
    if (call) {
      const outcomeOf = (tool: CalledTool) =>
        isResult ? outcomeOfResult(result, tool) : outcomeOfError(objectAt(message, "error"), tool);
      this.#calls.end(call, outcomeOf, isResult ? result : undefined);
    } else if (method === "tools/list") this.#calls.tools.learn(result);
  }

  #onCancelled(direction: Direction, params: JsonObject): void {
    const { requestId } = params;
    if (!isRequestId(requestId)) return;
    // No answer follows; one that comes nevertheless is of no interest to the client.
    const call = this.#pending.take(direction, requestId)?.call;
    if (call) this.#calls.end(call, () => outcomeOfCancellation(params));
  }

  /** Servers name themselves once in 2025, and in the `_meta` of each result in 2026. */
  #learnServer(method: string, result: JsonObject): void {
    const isInitialized = method === "initialize";
    if (!isInitialized && this.#target.server.serverName !== undefined) return;
    const identity = isInitialized ? identityOfInitialized(result) : identityOfResult(result);
    this.#identity = { ...this.#identity, ...identity };
    this.#target.sawServer(identity);
  }
}
