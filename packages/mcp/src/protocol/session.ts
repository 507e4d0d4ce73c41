import type { SessionDetails, TelemetryService } from "@toolmeter/core";

/** The session of a conversation's calls: the transport's session if it has one, else the conversation. */
export class Session {
  /** The id of the conversation, for calls without a session of the transport. */
  readonly conversationId = Bun.randomUUIDv7();
  readonly #transportsId: (() => string | undefined) | undefined;
  #id: string | undefined;
  /** The service in which the session is open. A shutdown of the service ends it. */
  #telemetry: TelemetryService | undefined;

  /** @param transportsId Returns the session id of the transport, once it has one. */
  constructor(transportsId: (() => string | undefined) | undefined) {
    this.#transportsId = transportsId;
  }

  /**
   * Returns the session id for a call, and opens the session for the first one.
   * @param isAlone Whether a call without a session of the transport has none at all.
   */
  open(
    telemetry: TelemetryService,
    isAlone: boolean,
    detailsOf: () => SessionDetails,
  ): string | undefined {
    const named = this.#transportsId?.();
    const id = named ?? (isAlone ? undefined : this.conversationId);
    if (id === undefined || (id === this.#id && telemetry === this.#telemetry)) return id;
    this.#id = id;
    this.#telemetry = telemetry;
    const kind = named === undefined ? "connection" : "session";
    telemetry.startSession(id, { kind, ...detailsOf() });
    return id;
  }

  /** Adds details to the session, if it is open in this service. */
  add(telemetry: TelemetryService | undefined, details: SessionDetails): void {
    if (this.#id === undefined || telemetry !== this.#telemetry) return;
    telemetry?.startSession(this.#id, details);
  }

  /** Ends the session, if it is open in this service. */
  end(telemetry: TelemetryService | undefined, reason: string): void {
    if (this.#id !== undefined && telemetry === this.#telemetry)
      telemetry?.endSession(this.#id, reason);
    this.#id = undefined;
    this.#telemetry = undefined;
  }
}
