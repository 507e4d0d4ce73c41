import type { Logger, ToolCallStart } from "@toolmeter/core";
import { type Call, detailsOfArguments, detailsOfResult, toCalledTool } from "./call.ts";
import type { Destination } from "./destination.ts";
import { type HeaderReader, type Identity, identityOfRequest, traceContext } from "./identity.ts";
import {
  type Direction,
  type JsonObject,
  type RequestId,
  objectAt,
  shortTextAt,
} from "./message.ts";
import type { CalledTool, Outcome } from "./outcome.ts";
import { type PayloadContext, type Redaction, redacted } from "./payload.ts";
import { Session } from "./session.ts";
import type { TargetState } from "./target-state.ts";
import { ToolListing } from "./tool-listing.ts";

/** What a conversation cannot read off its messages. */
export interface ConversationContext {
  /** `stdio`, `streamable_http`, `sse`, `in_memory`; undefined if nothing tells. */
  readonly transport?: string | undefined;
  /** The transport's session id; it comes with the answer to `initialize`. */
  readonly sessionId?: () => string | undefined;
  /** Who is known before a message says it. */
  readonly identity?: Identity;
}

/** Where a conversation is recorded, and how. */
export interface ConversationOptions {
  readonly destination: Destination;
  readonly target: TargetState;
  /** How payloads are redacted. Undefined: none is stored. */
  readonly redaction?: Redaction | undefined;
  /** What the host says of its server, over what the server says. */
  readonly server?: Identity;
  readonly logger: Logger;
}

/** A request for a tool call. */
export interface CallRequest {
  readonly direction: Direction;
  readonly id: RequestId;
  readonly params: JsonObject;
  readonly header: HeaderReader | undefined;
}

/** Records the calls of one conversation: each at its start, and again with its outcome and details. */
export class CallRecorder {
  readonly tools: ToolListing;
  readonly #options: ConversationOptions;
  readonly #identity: () => Identity;
  readonly #transport: string | undefined;
  readonly #session: Session;
  /**
   * Whether the other side may outlive this process: then a call is recorded before it is answered. In memory both
   * die together, and nobody has to wait: it is recorded a few milliseconds later.
   */
  readonly #isDurable: boolean;

  /** @param identity Who talks to whom, as far as the conversation has told. */
  constructor(
    options: ConversationOptions,
    { transport, sessionId }: ConversationContext,
    identity: () => Identity,
  ) {
    this.#options = options;
    this.#identity = identity;
    this.#transport = transport;
    this.#isDurable = transport !== "in_memory";
    this.#session = new Session(sessionId);
    this.tools = new ToolListing({
      target: options.target,
      open: () => options.destination.open(),
      learned: (telemetry, definitionHashes) => this.#session.add(telemetry, { definitionHashes }),
      guard: (work) => this.guard(work),
    });
  }

  /** Runs work inside the host's code. Never throws. */
  guard(work: () => void): void {
    this.#options.target.guard(work, this.#options.logger);
  }

  /** Marks the start of a call: on disk before the tool runs, but for those whose client dies with it. */
  start({ direction, id: requestId, params, header }: CallRequest): Call | undefined {
    const { destination } = this.#options;
    const telemetry = destination.open();
    if (!telemetry) {
      destination.missed();
      return undefined;
    }
    const toolName = shortTextAt(params, "name") ?? "(none)";
    const definitionHash = this.tools.hashOf(toolName);
    const transport = this.#transport ?? (header ? "streamable_http" : undefined);
    const identify = () =>
      this.#complete(identityOfRequest(objectAt(params, "_meta"), header, this.#identity()));
    // A request over HTTP without a session id stands alone.
    const isAlone =
      direction === "received" && (header !== undefined || transport === "streamable_http");
    const sessionId = this.#session.open(telemetry, isAlone, () => ({
      ...identify(),
      transport,
      definitionHashes: this.tools.hashes,
    }));
    const describe = (): ToolCallStart => ({
      toolName,
      requestId,
      sessionId,
      ...identify(),
      transport,
      arguments: this.#payload(params["arguments"], toolName, "arguments"),
    });
    const handle = telemetry.startToolCall(this.#isDurable ? describe() : describe);
    return { handle, toolName, params, header, definitionHash };
  }

  end(call: Call, outcomeOf: (tool: CalledTool) => Outcome, result?: JsonObject): void {
    const outcome = () => {
      const known = outcomeOf(toCalledTool(call));
      this.#options.target.ended(known.status);
      return known;
    };
    const more = () => {
      let details = {};
      // Arguments and results may be what no JSON can hold: the outcome stands.
      this.guard(() => (details = this.#detailsOf(call, result)));
      return details;
    };
    if (this.#isDurable) call.handle.end(outcome(), more);
    else call.handle.end(() => ({ ...more(), ...outcome() }));
  }

  /** No call follows. */
  endSession(reason: string): void {
    this.#session.end(this.#options.destination.telemetry, reason);
  }

  #detailsOf(call: Call, result?: JsonObject) {
    const { handle, toolName, params, header, definitionHash } = call;
    const { target } = this.#options;
    const input = detailsOfArguments(call);
    const turn = `${this.#session.conversationId} ${toolName} ${input.argumentHash}`;
    const continuedFrom = target.continuedFrom(params, turn);
    if (result?.["resultType"] === "input_required") target.asked(result, turn, handle.id);
    return {
      ...traceContext(objectAt(params, "_meta"), header),
      // The server may have told its name with the answer.
      ...this.#complete({}),
      definitionHash,
      continuedFrom,
      ...input,
      ...(result && {
        ...detailsOfResult(result),
        result: this.#payload(result, toolName, "result"),
      }),
    };
  }

  /** What a request says of the two, completed by what is known of the server. */
  #complete(identity: Identity): Identity {
    return { ...this.#options.target.server, ...identity, ...this.#options.server };
  }

  /** What of a payload may be stored: nothing, unless payloads are captured. */
  #payload(value: unknown, toolName: string, kind: PayloadContext["kind"]): unknown {
    const { redaction } = this.#options;
    if (redaction === undefined || value === undefined) return undefined;
    return redacted(value, { toolName, kind }, redaction);
  }
}
