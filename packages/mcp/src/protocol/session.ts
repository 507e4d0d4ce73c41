import type { SessionDetails, TelemetryService } from "@toolmeter/core";

/** The session that the calls of one conversation belong to: what the transport calls one, else the conversation. */
export class Session {
  /** The name of the conversation, for calls without a session of the transport's. */
  readonly conversationId = Bun.randomUUIDv7();
  readonly #transportsId: (() => string | undefined) | undefined;
  #id: string | undefined;
  /** Where it is open. A service that was shut down has ended it. */
  #telemetry: TelemetryService | undefined;

  /** @param transportsId The transport's session id, once it has one. */
  constructor(transportsId: (() => string | undefined) | undefined) {
    this.#transportsId = transportsId;
  }

  /**
   * The session's id for a call, opened by the first one.
   * @param isAlone Whether the call has no session unless the transport has one.
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
