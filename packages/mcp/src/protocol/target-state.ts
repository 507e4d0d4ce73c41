import {
  type Logger,
  type TelemetryService,
  type ToolCallStatus,
  type ToolDefinition,
  errorMessage,
} from "@toolmeter/core";
import { BoundedMap } from "./bounded-map.ts";
import { definitionOf } from "./definition.ts";
import type { Identity } from "./identity.ts";
import { type JsonObject, keyOfText, textAt } from "./message.ts";

/** The major version of the SDK: 1 is `@modelcontextprotocol/sdk`. */
export type SdkGeneration = 1 | 2;

/** Entries kept for later requests, at most. */
const MAX_REMEMBERED = 1_000;

/** A definition that a stateless server lists again and again is recorded once in this time, in milliseconds. */
const SEEN_AGAIN_MS = 60_000;

/** What the conversations of one instrumented target share: one server is behind them all. */
export class TargetState {
  /** The latest definition per tool, by its hash. */
  readonly #definitions = new BoundedMap<string, string>(MAX_REMEMBERED);
  /** When each definition was recorded last. */
  readonly #recordedAt = new BoundedMap<string, number>(MAX_REMEMBERED);
  /** The calls that were answered by a question, by what their continuation will say. */
  readonly #questions = new BoundedMap<string, string>(MAX_REMEMBERED);
  readonly #calls = new Map<ToolCallStatus, number>();
  readonly #transports = new Set<string>();
  #conversations = 0;
  #sdk: SdkGeneration | undefined;
  #server: Identity = {};
  #failures = 0;

  /** Counts a conversation. Returns whether it is the first over this kind of transport. */
  connected(transport: string, sdk: SdkGeneration | undefined): boolean {
    this.#conversations += 1;
    this.#sdk = sdk ?? this.#sdk;
    const { size } = this.#transports;
    return this.#transports.add(transport).size > size;
  }

  get conversations(): number {
    return this.#conversations;
  }

  get transports(): readonly string[] {
    return [...this.#transports];
  }

  get sdk(): SdkGeneration | undefined {
    return this.#sdk;
  }

  /** How many tools were listed. */
  get tools(): number {
    return this.#definitions.size;
  }

  /** Messages that could not be read. */
  get failures(): number {
    return this.#failures;
  }

  /** The calls that ended, per status. */
  get calls(): Partial<Record<ToolCallStatus, number>> {
    return Object.fromEntries(this.#calls);
  }

  /** Runs work of ours inside the host's code: an error is counted, and the first one is logged. Never throws. */
  guard(work: () => void, logger: Logger): void {
    try {
      work();
    } catch (error) {
      this.#failures += 1;
      if (this.#failures > 1) return;
      logger.warn(
        `A message could not be recorded (${errorMessage(error)}). The tool is not affected; further ones are counted.`,
      );
    }
  }

  ended(status: ToolCallStatus): void {
    this.#calls.set(status, (this.#calls.get(status) ?? 0) + 1);
  }

  /** The server by its own name, once it has told it. */
  get server(): Identity {
    return this.#server;
  }

  sawServer({ serverName, serverVersion }: Identity): void {
    if (serverName) this.#server = { serverName, serverVersion };
  }

  /** Records the definitions of a listing and returns them. */
  sawTools(
    tools: readonly JsonObject[],
    telemetry: TelemetryService | undefined,
  ): readonly ToolDefinition[] {
    const now = performance.now();
    const definitions = tools.flatMap((tool) => definitionOf(tool) ?? []);
    for (const definition of definitions) {
      this.#definitions.set(definition.toolName, definition.hash);
      const recordedAt = this.#recordedAt.get(definition.hash);
      if (recordedAt !== undefined && now - recordedAt < SEEN_AGAIN_MS) continue;
      this.#recordedAt.set(definition.hash, now);
      telemetry?.recordToolDefinition(definition);
    }
    return definitions;
  }

  /** The hash of the definition of a tool as any conversation listed it last. */
  definitionOf(toolName: string): string | undefined {
    return this.#definitions.get(toolName);
  }

  /** A call was answered by a question (MCP 2026-07-28, `input_required`); `turn` tells it from others. */
  asked(question: JsonObject, turn: string, callId: string): void {
    this.#questions.set(keyOfText(textAt(question, "requestState") ?? turn), callId);
  }

  /** The id of the call whose question a request answers: by its state, which may come over another connection. */
  continuedFrom(params: JsonObject, turn: string): string | undefined {
    const state = textAt(params, "requestState");
    if (state === undefined && params["inputResponses"] === undefined) return undefined;
    return this.#questions.get(keyOfText(state ?? turn));
  }
}
