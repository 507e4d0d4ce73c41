import type { Logger, TelemetryService, ToolCallStatus, ToolDefinition } from "@toolmeter/core";
import { definitionOf } from "./definition.ts";
import type { Identity } from "./identity.ts";
import { type JsonObject, keyOfText, textAt } from "./message.ts";
import { type PayloadContext, type Redaction, redacted } from "./payload.ts";

export interface RecorderOptions {
  /** The service, once there is one to record into. */
  readonly telemetry: () => TelemetryService | undefined;
  /** Told of each call that starts while there is none. */
  readonly missed: () => void;
  /** Whether payloads are stored, and how they are redacted. */
  readonly payloads: Redaction | undefined;
  /** What the host says of its server, over what the server says. */
  readonly server: Identity;
  readonly logger: Logger;
}

/** Entries kept of what may be asked for later, at most. */
const MAX_REMEMBERED = 1_000;

/** A definition that a stateless server lists again and again is told this often, in milliseconds. */
const SEEN_AGAIN_MS = 60_000;

/** What the connections of one instrumented target share: one server is behind them all. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #definitions = new Map<string, string>();
  readonly #toldAt = new Map<string, number>();
  /** The calls that were answered by a question, by what their continuation will say. */
  readonly #questions = new Map<string, string>();
  readonly #calls = new Map<ToolCallStatus, number>();
  #server: Identity = {};
  #failures = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Where records go; undefined while recording is off or the database cannot be opened. */
  get telemetry(): TelemetryService | undefined {
    return this.#options.telemetry();
  }

  /** A call started that cannot be recorded. */
  missed(): void {
    this.#options.missed();
  }

  /** How many tools were listed. */
  get tools(): number {
    return this.#definitions.size;
  }

  /** Runs something of ours inside somebody else's code: what it throws stays here. */
  guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failures += 1;
      if (this.#failures === 1) this.#warn(error);
    }
  }

  #warn(error: unknown): void {
    try {
      this.#options.logger.warn(
        `A message could not be recorded (${String(error)}). The tool is not affected; further ones are counted.`,
      );
    } catch {
      // A logger, or an error, that throws has nobody to tell.
    }
  }

  /** Messages that could not be read. */
  get failures(): number {
    return this.#failures;
  }

  /** The calls that ended, by how. */
  get calls(): Partial<Record<ToolCallStatus, number>> {
    return Object.fromEntries(this.#calls);
  }

  ended(status: ToolCallStatus): void {
    this.#calls.set(status, (this.#calls.get(status) ?? 0) + 1);
  }

  get knowsServer(): boolean {
    return this.#server.serverName !== undefined;
  }

  sawServer({ serverName, serverVersion }: Identity): void {
    if (serverName) this.#server = { serverName, serverVersion };
  }

  /** What a request says of the two, completed by what is known of the server. */
  complete(identity: Identity): Identity {
    return { ...this.#server, ...identity, ...this.#options.server };
  }

  /** Records the definitions of a listing and returns them. */
  sawTools(tools: readonly JsonObject[]): readonly ToolDefinition[] {
    const now = performance.now();
    const definitions = tools.flatMap((tool) => definitionOf(tool) ?? []);
    for (const definition of definitions) {
      remember(this.#definitions, definition.toolName, definition.hash);
      const toldAt = this.#toldAt.get(definition.hash);
      if (toldAt !== undefined && now - toldAt < SEEN_AGAIN_MS) continue;
      remember(this.#toldAt, definition.hash, now);
      this.telemetry?.recordToolDefinition(definition);
    }
    return definitions;
  }

  /** The definition of a tool as any connection listed it last. */
  definitionOf(toolName: string): string | undefined {
    return this.#definitions.get(toolName);
  }

  /** A call was answered by a question (MCP 2026-07-28, `input_required`); `turn` tells it from others. */
  asked(question: JsonObject, turn: string, callId: string): void {
    remember(this.#questions, keyOfText(textAt(question, "requestState") ?? turn), callId);
  }

  /** The id of the call whose question a request answers: by its state, which may come over another connection. */
  continuedFrom(params: JsonObject, turn: string): string | undefined {
    const state = textAt(params, "requestState");
    if (state === undefined && params["inputResponses"] === undefined) return undefined;
    return this.#questions.get(keyOfText(state ?? turn));
  }

  /** What of a payload may be stored: nothing, unless payloads are captured. */
  payload(value: unknown, toolName: string, kind: PayloadContext["kind"]): unknown {
    const { payloads } = this.#options;
    if (payloads === undefined || value === undefined) return undefined;
    return redacted(value, { toolName, kind }, payloads);
  }
}

/** Sets an entry; the oldest goes when there are too many. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= MAX_REMEMBERED) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
