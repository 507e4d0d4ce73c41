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

/** Facts about a conversation that its messages do not contain. */
export interface ConversationContext {
  /** `stdio`, `streamable_http`, `sse` or `in_memory`; undefined if unknown. */
  readonly transport?: string | undefined;
  /** Returns the transport's session id, which arrives with the answer to `initialize`. */
  readonly sessionId?: () => string | undefined;
  /** The names that are known before the first message. */
  readonly identity?: Identity;
}

/** Where a conversation is recorded, and how. */
export interface ConversationOptions {
  readonly destination: Destination;
  readonly target: TargetState;
  /** How payloads are redacted. Without it, none is stored. */
  readonly redaction?: Redaction | undefined;
  /** The server's name and version from the options, which override the server's own. */
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
   * Whether the other side may outlive this process: then a call is recorded before it is answered. In memory both end
   * together, so the call is recorded a few milliseconds later and nobody waits.
   */
  readonly #isDurable: boolean;

  /** @param identity Returns the names that the conversation has revealed so far. */
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

  /** Marks the start of a call. It is on disk before the tool runs, except for in-memory calls. */
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
    // A request over HTTP without a session id belongs to no session.
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
      // If arguments or result cannot be written as JSON, the outcome is still recorded.
      this.guard(() => (details = this.#detailsOf(call, result)));
      return details;
    };
    if (this.#isDurable) call.handle.end(outcome(), more);
    else call.handle.end(() => ({ ...more(), ...outcome() }));
  }

  /** Ends the session. */
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
      // The answer may contain the server's name.
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

  /** Adds the known names of the server to an identity. */
  #complete(identity: Identity): Identity {
    return { ...this.#options.target.server, ...identity, ...this.#options.server };
  }

  /** Returns the payload to store; undefined unless payloads are captured. */
  #payload(value: unknown, toolName: string, kind: PayloadContext["kind"]): unknown {
    const { redaction } = this.#options;
    if (redaction === undefined || value === undefined) return undefined;
    return redacted(value, { toolName, kind }, redaction);
  }
}
