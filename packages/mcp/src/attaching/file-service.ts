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

/** Pause before a file that could not be opened is tried again, in milliseconds. */
const RETRY_MS = 1_000;

/** Maximum number of open files. To open another one, the least recently used file is closed. */
const MAX_OPEN = 16;

/** Maximum number of services that later targets can share. */
const MAX_KNOWN = 100;

const NOTHING_TO_FLUSH: FlushResult = { outcome: "written", remaining: 0 };

/** The options that can be compared. */
export type FileConfig = Omit<TelemetryConfig, "logger" | "writer">;

/** The services whose file is open, in order of use. */
const opened = new Set<FileService>();

/**
 * Records into a file. The file is opened when it is first needed, closed to make room for others while no call is in
 * flight, and opened again for the next record. The core writes open files when the process ends.
 */
class FileService implements Service {
  readonly targets = new BoundedMap<string, TargetState>(MAX_TARGETS);
  readonly #path: string | undefined;
  readonly #config: FileConfig;
  /** The logger that was passed last: the owner of an earlier one may be gone. */
  #logger: Logger = stderrLogger;
  #telemetry: TelemetryService | undefined;
  /** Resolves when all records of closed files are written. */
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
    // Deferred starts of calls are recorded first: they count as calls in flight.
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

/** Closes the least recently used files until another one may be opened. */
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
 * Returns the service of a file. All targets with the same file and the same values share one, so that a server per
 * request does not open a file each time.
 * @param logger Replaces the previous one. @default warnings and errors on stderr
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
