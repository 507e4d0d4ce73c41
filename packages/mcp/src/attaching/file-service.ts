import { resolve } from "node:path";
import {
  type FlushResult,
  type Logger,
  type TelemetryConfig,
  TelemetryService,
  errorMessage,
  stderrLogger,
} from "@toolmeter/core";
import { BoundedMap } from "../protocol/bounded-map.ts";
import type { TargetState } from "../protocol/target-state.ts";
import { MAX_TARGETS, type Service, type ServiceState } from "./service.ts";

/** Pause after a file that cannot be ours was found until it is looked at again, in milliseconds. */
const RETRY_MS = 1_000;

/** Files that are open at once: one that is not open yet takes the place of the one that was used longest ago. */
const MAX_OPEN = 16;

/** Services that are known again by their options, at most. */
const MAX_KNOWN = 100;

const NOTHING_TO_FLUSH: FlushResult = { outcome: "written", remaining: 0 };

/** How records are kept, in values that can be compared. */
export type FileConfig = Omit<TelemetryConfig, "logger" | "writer">;

/** The services with a file open, the one used last at the end. */
const opened = new Set<FileService>();

/**
 * A file to record into. It is opened when it is first needed, closed when others need the room and no call is in
 * flight, and opened again for the next record. What is open when the process ends is written by the core.
 */
class FileService implements Service {
  readonly targets = new BoundedMap<string, TargetState>(MAX_TARGETS);
  readonly #path: string | undefined;
  readonly #config: FileConfig;
  /** The logger that was given last: the host of an earlier one may be gone. */
  #logger: Logger = stderrLogger;
  #telemetry: TelemetryService | undefined;
  /** Resolves when everything that was closed is written. */
  #closed: Promise<FlushResult> = Promise.resolve(NOTHING_TO_FLUSH);
  #retryAt = 0;
  #error: string | undefined;
  #unrecorded = 0;

  constructor(path: string | undefined, config: FileConfig) {
    this.#path = path;
    this.#config = config;
  }

  set logger(logger: Logger) {
    this.#logger = logger;
  }

  get telemetry(): TelemetryService | undefined {
    return this.#telemetry?.isEnabled ? this.#telemetry : undefined;
  }

  open(): TelemetryService | undefined {
    if (!this.#telemetry && performance.now() >= this.#retryAt) this.#tryToOpen();
    const { telemetry } = this;
    if (!telemetry) return undefined;
    opened.delete(this);
    opened.add(this);
    return telemetry;
  }

  missed(): void {
    if (this.#error !== undefined) this.#unrecorded += 1;
  }

  get state(): ServiceState {
    return {
      path: this.#telemetry?.path,
      isRecording: this.#telemetry?.isEnabled ?? false,
      stats: this.#telemetry?.stats,
      error: this.#error,
      unrecorded: this.#unrecorded,
    };
  }

  async flush(): Promise<FlushResult> {
    const open = this.#telemetry?.flush();
    const closed = await this.#closed;
    return open ?? closed;
  }

  shutdown(): Promise<FlushResult> {
    if (this.#unrecorded > 0)
      this.#logger.warn(`Shut down; ${this.#unrecorded} tool calls were not recorded.`);
    return this.#close();
  }

  /** Closes the file, unless a call is in flight: its outcome would be lost. */
  closeIfIdle(): void {
    // What is in memory is said later: also that a call has begun.
    void this.#telemetry?.flush();
    if (this.#telemetry?.stats.inFlight === 0) void this.#close();
  }

  #close(): Promise<FlushResult> {
    const telemetry = this.#telemetry;
    if (!telemetry) return this.#closed;
    this.#telemetry = undefined;
    opened.delete(this);
    const before = this.#closed;
    const shutdown = telemetry.shutdown();
    this.#closed = before.then(() => shutdown);
    return this.#closed;
  }

  #tryToOpen(): void {
    if (this.#config.enabled === false) return;
    try {
      const logger = forwarding(() => this.#logger);
      this.#telemetry = new TelemetryService(this.#path, { ...this.#config, logger });
      this.#error = undefined;
    } catch (error) {
      this.#retryAt = performance.now() + RETRY_MS;
      const message = errorMessage(error);
      if (this.#error === undefined)
        this.#logger.warn(`Tool calls are not recorded. ${message} The tools are not affected.`);
      this.#error = message;
    }
    if (this.telemetry) makeRoom();
  }
}

/** Before a further file is opened. */
function makeRoom(): void {
  for (const service of opened) {
    if (opened.size < MAX_OPEN) return;
    service.closeIfIdle();
  }
}

function forwarding(logger: () => Logger): Logger {
  return {
    debug: (message) => logger().debug(message),
    info: (message) => logger().info(message),
    warn: (message) => logger().warn(message),
    error: (message) => logger().error(message),
  };
}

const services = new BoundedMap<string, FileService>(MAX_KNOWN);

/**
 * The service of a file: one for all who name it and give the same values. A server per request does not open a file
 * each time.
 * @param logger Takes over from the one before it; without one, warnings and errors go to stderr.
 */
export function fileService(
  path: string | undefined,
  config: FileConfig,
  logger: Logger | undefined,
): Service {
  const file = resolve(path || process.env["TOOLMETER_DB"] || "");
  const values = Object.entries(config).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const key = JSON.stringify([file, values]);
  const service = services.get(key) ?? new FileService(path, config);
  if (logger) service.logger = logger;
  services.set(key, service);
  return service;
}
