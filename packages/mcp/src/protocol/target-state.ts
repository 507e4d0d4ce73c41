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

/** Maximum number of entries kept for later requests. */
const MAX_REMEMBERED = 1_000;

/** Interval at which a definition that is listed repeatedly is recorded, in milliseconds. */
const SEEN_AGAIN_MS = 60_000;

/** The state that all conversations of a target share. */
export class TargetState {
  /** The hash of the latest definition of each tool. */
  readonly #definitions = new BoundedMap<string, string>(MAX_REMEMBERED);
  /** When each definition was last recorded. */
  readonly #recordedAt = new BoundedMap<string, number>(MAX_REMEMBERED);
  /** The ids of calls that were answered by a question, by a key that the continuation contains. */
  readonly #questions = new BoundedMap<string, string>(MAX_REMEMBERED);
  readonly #calls = new Map<ToolCallStatus, number>();
  readonly #transports = new Set<string>();
  #conversations = 0;
  #sdk: SdkGeneration | undefined;
  #server: Identity = {};
  #failures = 0;

  /** Counts a conversation. Returns whether it is the first one over this kind of transport. */
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

  /** Number of tools that were listed. */
  get tools(): number {
    return this.#definitions.size;
  }

  /** Messages that could not be read. */
  get failures(): number {
    return this.#failures;
  }

  /** Ended calls by status. */
  get calls(): Partial<Record<ToolCallStatus, number>> {
    return Object.fromEntries(this.#calls);
  }

  /** Runs our work inside the host's code. Errors are counted, and the first one is logged. Never throws. */
  guard(work: () => void, logger: Logger): void {
    try {
      work();
    } catch (error) {
      this.#failures += 1;
      if (this.#failures > 1) return;
      logger.warn(
        `A message could not be recorded (${errorMessage(error)}). The tool is not affected. Later ones are only counted.`,
      );
    }
  }

  ended(status: ToolCallStatus): void {
    this.#calls.set(status, (this.#calls.get(status) ?? 0) + 1);
  }

  /** The server's own name and version, once known. */
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

  /** Returns the hash of a tool's definition, as last listed in any conversation. */
  definitionOf(toolName: string): string | undefined {
    return this.#definitions.get(toolName);
  }

  /** Notes a call that was answered by a question (MCP 2026-07-28, `input_required`). `turn` identifies it. */
  asked(question: JsonObject, turn: string, callId: string): void {
    this.#questions.set(keyOfText(textAt(question, "requestState") ?? turn), callId);
  }

  /** Returns the id of the call whose question a request answers. Its state may arrive on another connection. */
  continuedFrom(params: JsonObject, turn: string): string | undefined {
    const state = textAt(params, "requestState");
    if (state === undefined && params["inputResponses"] === undefined) return undefined;
    return this.#questions.get(keyOfText(state ?? turn));
  }
}
