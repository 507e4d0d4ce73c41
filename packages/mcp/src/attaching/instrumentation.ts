import {
  type FlushResult,
  type TelemetryConfig,
  type TelemetryService,
  type TelemetryStats,
  type ToolCallStatus,
  containLogger,
  stderrLogger,
} from "@toolmeter/core";
import type { ConversationContext, ConversationOptions } from "../protocol/call-recorder.ts";
import { Conversation } from "../protocol/conversation.ts";
import type { Identity } from "../protocol/identity.ts";
import type { Redaction } from "../protocol/payload.ts";
import { type SdkGeneration, TargetState } from "../protocol/target-state.ts";
import { fileService } from "./file-service.ts";
import { hostService } from "./host-service.ts";
import type { Service } from "./service.ts";
import type { TargetKind } from "./target.ts";

/**
 * How calls are recorded; every option of `TelemetryService` but its `writer` is one, too. Targets that name the same
 * file and give the same values share one service. Functions are not compared: `redact` is each target's own, and the
 * `logger` that was given last gets what the service reports.
 */
export interface InstrumentOptions extends Omit<TelemetryConfig, "writer"> {
  /** The database's file. @default `TOOLMETER_DB`, else `analytics.db` in the user's data directory */
  readonly path?: string;
  /** A service of the host's own to record into; its lifetime stays the host's. @default one of ours */
  readonly telemetry?: TelemetryService;
  /**
   * Whether arguments and results are stored. What looks like a secret by its key is masked always; texts are
   * not searched. @default false
   */
  readonly capturePayloads?: boolean;
  /** Further keys whose values are masked, wherever they occur; case, `-` and `_` ignored. */
  readonly redactKeys?: readonly string[];
  /**
   * Gets a copy of each payload, already masked, and returns what may be stored. It runs in the tool's thread.
   * If it throws, the payload is not stored.
   */
  readonly redact?: Redaction["redact"];
  /** The name under which the server is recorded. @default what it calls itself */
  readonly serverName?: string;
  /** @default what the server says */
  readonly serverVersion?: string;
}

/**
 * What is recorded: what `instrument` was given; `process` for `@toolmeter/mcp/auto`; `command` and `url` for what
 * `toolmeter record` runs or calls.
 */
export type TargetName = TargetKind | "command" | "process" | "url";

/** What an instrumentation is attached to, and what it and others like it saw. */
export interface InstrumentationReport {
  /** What was handed to `instrument`, or the name that was given to `new Instrumentation`. */
  readonly target: TargetName;
  /** The SDK's generation, as soon as a server or client of it was seen. */
  readonly sdk: SdkGeneration | undefined;
  /** The kinds of transport that were tapped. */
  readonly transports: readonly string[];
  /** How many connections were tapped; over stateless HTTP each request is one. */
  readonly connections: number;
  /** How many tools were listed to clients. */
  readonly tools: number;
  /** Calls that ended, per status. In-memory calls are counted within 5 ms of their end, or at `flush()`. */
  readonly calls: Partial<Record<ToolCallStatus, number>>;
  /** The file that is written, once there was a connection. */
  readonly path: string | undefined;
  /** False before the first connection, while recording is switched off, and if the file cannot be opened. */
  readonly isRecording: boolean;
  /** Why the file could not be opened. A lock is no reason: calls then wait in the journal. */
  readonly error: string | undefined;
  /** Calls that were made while the file could not be opened, of all who share it; they are lost. */
  readonly unrecorded: number;
  /** Messages that could not be read. */
  readonly unreadable: number;
  /** What became of the records, of all who share the service. */
  readonly stats: TelemetryStats | undefined;
}

/** The handle of an instrumented target. Its counts are shared by all servers of the same name, kind and options. */
export class Instrumentation {
  readonly #kind: TargetName;
  readonly #service: Service;
  readonly #state: TargetState;
  readonly #options: ConversationOptions;

  /** @param identity What the target calls itself, if it may come again: a server per request is one in the report. */
  constructor(kind: TargetName, options: InstrumentOptions = {}, identity?: Identity) {
    const {
      path,
      telemetry,
      redactKeys = [],
      redact,
      serverName,
      serverVersion,
      logger: given,
      ...config
    } = options;
    const logger = containLogger(given ?? stderrLogger);
    const server = { ...(serverName && { serverName }), ...(serverVersion && { serverVersion }) };
    this.#kind = kind;
    this.#service = telemetry ? hostService(telemetry) : fileService(path, config, given && logger);
    this.#state = identity ? this.#knownTarget({ kind, identity, server }) : new TargetState();
    this.#options = {
      destination: this.#service,
      target: this.#state,
      redaction: config.capturePayloads
        ? { keys: redactKeys, ...(redact && { redact }) }
        : undefined,
      server,
      logger,
    };
  }

  /** What it is attached to, what it saw, and what was lost. */
  report(): InstrumentationReport {
    const { sdk, transports, conversations, tools, calls, failures } = this.#state;
    return {
      target: this.#kind,
      sdk,
      transports,
      connections: conversations,
      tools,
      calls,
      unreadable: failures,
      ...this.#service.state,
    };
  }

  /** Writes what was recorded so far. Never rejects. */
  flush(): Promise<FlushResult> {
    return this.#service.flush();
  }

  /**
   * Writes everything and closes the file; a service of the host's own is left alone. Not needed: what is not
   * shut down is written when the process ends. Never rejects.
   */
  shutdown(): Promise<FlushResult> {
    return this.#service.shutdown();
  }

  /** Begins to record a connection; the file is opened, if that is still to be done. */
  connect(context: ConversationContext, sdk?: SdkGeneration): Conversation {
    const transport = context.transport ?? "unknown";
    if (this.#state.connected(transport, sdk)) {
      const generation = this.#state.sdk ? ` of SDK ${this.#state.sdk}` : "";
      this.#options.logger.debug(`Attached to a ${this.#kind}${generation} over ${transport}.`);
    }
    this.guard(() => this.#service.open());
    return new Conversation(this.#options, context);
  }

  /** Runs work on copies of messages: an error is counted as unreadable, and the first is logged. Never throws. */
  guard(work: () => void): void {
    this.#state.guard(work, this.#options.logger);
  }

  #knownTarget(name: object): TargetState {
    const key = JSON.stringify(name);
    const { targets } = this.#service;
    const state = targets.get(key) ?? new TargetState();
    targets.set(key, state);
    return state;
  }
}
