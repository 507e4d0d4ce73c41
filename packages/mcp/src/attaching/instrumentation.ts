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
 * How calls are recorded. Includes every option of `TelemetryService` except `writer`. Targets with the same file and
 * the same values share one service. Functions are not compared: each target keeps its own `redact`, and the service
 * reports to the `logger` that was passed last.
 */
export interface InstrumentOptions extends Omit<TelemetryConfig, "writer"> {
  /** The database file. @default `TOOLMETER_DB`, else `analytics.db` in the user's data directory */
  readonly path?: string;
  /** A service to record into, which the host shuts down. @default a shared service for `path` */
  readonly telemetry?: TelemetryService;
  /**
   * Whether arguments and results are stored. Values whose key looks like that of a secret are always masked. Texts are
   * not searched for secrets. @default false
   */
  readonly capturePayloads?: boolean;
  /** More keys whose values are masked, at any depth. Case, `-` and `_` are ignored. */
  readonly redactKeys?: readonly string[];
  /**
   * Receives a masked copy of each payload and returns the value to store. It runs in the tool's thread. If it throws,
   * the payload is not stored.
   */
  readonly redact?: Redaction["redact"];
  /** The name under which the server is recorded. @default the server's own name */
  readonly serverName?: string;
  /** The version with which the server is recorded. @default the server's own version */
  readonly serverVersion?: string;
}

/**
 * The kind of target: that of the object passed to `instrument`; `process` for `@toolmeter/mcp/auto`; `command`
 * and `url` for a server that `toolmeter record` runs or calls.
 */
export type TargetName = TargetKind | "command" | "process" | "url";

/** What an instrumentation is attached to, and what it observed. */
export interface InstrumentationReport {
  /** The kind of target. */
  readonly target: TargetName;
  /** The major version of the SDK, once a server or client was connected. */
  readonly sdk: SdkGeneration | undefined;
  /** The kinds of transport that were observed. */
  readonly transports: readonly string[];
  /** Number of connections. Over stateless HTTP each request is one. */
  readonly connections: number;
  /** Number of tools that were listed to clients. */
  readonly tools: number;
  /** Ended calls by status. In-memory calls are counted within 5 ms of their end, or at `flush()`. */
  readonly calls: Partial<Record<ToolCallStatus, number>>;
  /** The database file, once there was a connection. */
  readonly path: string | undefined;
  /** False before the first connection, while recording is switched off, and if the file cannot be opened. */
  readonly isRecording: boolean;
  /** Why the file could not be opened. A lock is not an error: calls wait in the journal. */
  readonly error: string | undefined;
  /** Calls lost because the file could not be opened, for all targets that share the service. */
  readonly unrecorded: number;
  /** Messages that could not be read. */
  readonly unreadable: number;
  /** Counts of records, for all targets that share the service. */
  readonly stats: TelemetryStats | undefined;
}

/** The handle of an instrumented target. Servers with the same name, kind and options share its counts. */
export class Instrumentation {
  readonly #kind: TargetName;
  readonly #service: Service;
  readonly #state: TargetState;
  readonly #options: ConversationOptions;

  /**
   * @param identity The target's own name. Targets with the same name share one report: a server per request is one.
   */
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

  /** Returns what it is attached to, what it observed, and what was lost. */
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

  /** Writes all records so far. Never rejects. */
  flush(): Promise<FlushResult> {
    return this.#service.flush();
  }

  /**
   * Writes all records and closes the file. A service that the host passed stays open. Optional: otherwise the records
   * are written when the process ends. Never rejects.
   */
  shutdown(): Promise<FlushResult> {
    return this.#service.shutdown();
  }

  /** Starts to record a connection. Opens the file if it is closed. */
  connect(context: ConversationContext, sdk?: SdkGeneration): Conversation {
    const transport = context.transport ?? "unknown";
    if (this.#state.connected(transport, sdk)) {
      const generation = this.#state.sdk ? ` of SDK ${this.#state.sdk}` : "";
      this.#options.logger.debug(`Attached to a ${this.#kind}${generation} over ${transport}.`);
    }
    this.guard(() => this.#service.open());
    return new Conversation(this.#options, context);
  }

  /** Runs work on a message. An error is counted in `unreadable`, and the first one is logged. Never throws. */
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
