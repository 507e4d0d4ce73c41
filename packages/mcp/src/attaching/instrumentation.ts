import {
  type FlushResult,
  type Logger,
  type TelemetryConfig,
  type TelemetryService,
  type ToolCallStatus,
  type TelemetryStats,
  containLogger,
  stderrLogger,
} from "@toolmeter/core";
import { Connection, type ConnectionContext } from "../protocol/connection.ts";
import type { Redaction } from "../protocol/payload.ts";
import { Recorder } from "../protocol/recorder.ts";
import { Service, sharedService } from "./service.ts";
import type { SdkGeneration, TargetKind } from "./target.ts";

/** How calls are recorded; every option of `TelemetryService` but its `writer` is one, too. */
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

/** What an instrumentation is attached to, and what it saw. */
export interface InstrumentationReport {
  /** What was handed to `instrument`; `process` for `@toolmeter/mcp/auto`. */
  readonly target: TargetKind | "process";
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

/** The handle of an instrumented target. */
export class Instrumentation {
  readonly recorder: Recorder;
  readonly logger: Logger;
  readonly #service: Pick<Service, "flush" | "missed" | "shutdown" | "state" | "telemetry">;
  readonly #target: InstrumentationReport["target"];
  readonly #transports = new Set<string>();
  #connections = 0;
  #sdk: SdkGeneration | undefined;

  constructor(target: InstrumentationReport["target"], options: InstrumentOptions) {
    const {
      path,
      telemetry,
      redactKeys = [],
      redact,
      serverName,
      serverVersion,
      ...config
    } = options;
    this.#target = target;
    this.logger = containLogger(config.logger ?? stderrLogger);
    this.#service = telemetry ? hostsOwn(telemetry) : sharedService({ path, config });
    this.recorder = new Recorder({
      telemetry: () => this.#service.telemetry,
      missed: () => this.#service.missed(),
      payloads: config.capturePayloads
        ? { keys: redactKeys, ...(redact && { redact }) }
        : undefined,
      server: { ...(serverName && { serverName }), ...(serverVersion && { serverVersion }) },
      logger: this.logger,
    });
  }

  /** What it is attached to, what it saw, and what was lost. */
  report(): InstrumentationReport {
    return {
      target: this.#target,
      sdk: this.#sdk,
      transports: [...this.#transports],
      connections: this.#connections,
      tools: this.recorder.tools,
      calls: this.recorder.calls,
      unreadable: this.recorder.failures,
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

  /** A new connection to read messages from; opens the database, if that is still to be done. */
  connect(context: ConnectionContext, sdk?: SdkGeneration): Connection {
    this.#connections += 1;
    this.#sdk = sdk ?? this.#sdk;
    const transport = context.transport ?? "unknown";
    if (!this.#transports.has(transport)) {
      this.#transports.add(transport);
      const generation = this.#sdk ? ` of SDK ${this.#sdk}` : "";
      this.logger.debug(`Attached to a ${this.#target}${generation} over ${transport}.`);
    }
    this.recorder.guard(() => void this.#service.telemetry);
    return new Connection(this.recorder, context);
  }
}

function hostsOwn(telemetry: TelemetryService) {
  return {
    get telemetry() {
      return telemetry.isEnabled ? telemetry : undefined;
    },
    get state() {
      const { isEnabled, stats } = telemetry;
      return { path: undefined, isRecording: isEnabled, stats, error: undefined, unrecorded: 0 };
    },
    missed: () => undefined,
    flush: () => telemetry.flush(),
    shutdown: () => telemetry.flush(),
  };
}
