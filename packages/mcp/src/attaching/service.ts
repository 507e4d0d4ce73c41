import {
  type FlushResult,
  type TelemetryConfig,
  TelemetryService,
  containLogger,
  stderrLogger,
} from "@toolmeter/core";

/** After a file that cannot be ours was found, the next look at it comes no sooner, in milliseconds. */
const RETRY_MS = 30_000;

const NOTHING_TO_FLUSH: FlushResult = { outcome: "written", remaining: 0 };

/** Where and how records are kept. */
export interface ServiceOptions {
  readonly path: string | undefined;
  readonly config: Omit<TelemetryConfig, "writer">;
}

/**
 * The `TelemetryService` on a file, begun when first needed; its writer opens the file. What is not shut down ends
 * with the process: the core sees to it that nothing is lost.
 */
export class Service {
  readonly options: ServiceOptions;
  #telemetry: TelemetryService | undefined;
  #retryAt = 0;
  #error: string | undefined;
  #unrecorded = 0;

  constructor(options: ServiceOptions) {
    this.options = options;
  }

  /** The service; undefined while recording is switched off or the file cannot be ours. */
  get telemetry(): TelemetryService | undefined {
    if (!this.#telemetry && performance.now() >= this.#retryAt) this.#tryToBegin();
    return this.#telemetry?.isEnabled ? this.#telemetry : undefined;
  }

  /** Where records go, what became of them, and what is in the way; without opening anything. */
  get state() {
    return {
      path: this.#telemetry?.path,
      isRecording: this.#telemetry?.isEnabled ?? false,
      stats: this.#telemetry?.stats,
      error: this.#error,
      unrecorded: this.#unrecorded,
    };
  }

  /** A call was made that `telemetry` was not there for. */
  missed(): void {
    if (this.#error !== undefined) this.#unrecorded += 1;
  }

  flush(): Promise<FlushResult> {
    return this.#telemetry?.flush() ?? Promise.resolve(NOTHING_TO_FLUSH);
  }

  /** Writes everything and closes the file. A later call opens it again. */
  shutdown(): Promise<FlushResult> {
    const telemetry = this.#telemetry;
    this.#telemetry = undefined;
    if (this.#unrecorded > 0)
      this.#logger.warn(`Shut down; ${this.#unrecorded} tool calls were not recorded.`);
    return telemetry?.shutdown() ?? Promise.resolve(NOTHING_TO_FLUSH);
  }

  get #logger() {
    return containLogger(this.options.config.logger ?? stderrLogger);
  }

  #tryToBegin(): void {
    const { path, config } = this.options;
    if (config.enabled === false) return;
    try {
      this.#telemetry = new TelemetryService(path, config);
      this.#error = undefined;
    } catch (error) {
      this.#retryAt = performance.now() + RETRY_MS;
      const message = error instanceof Error ? error.message : String(error);
      if (this.#error === undefined)
        this.#logger.warn(`Tool calls are not recorded. ${message} The tools are not affected.`);
      this.#error = message;
    }
  }
}

const services: Service[] = [];

/** The service of these options: one for all who have the same, so that a server a request costs no file a request. */
export function sharedService(options: ServiceOptions): Service {
  const found = services.find(
    (service) =>
      service.options.path === options.path && sameOptions(service.options.config, options.config),
  );
  if (found) return found;
  const made = new Service(options);
  services.push(made);
  return made;
}

/** Whether two say the same: lists and limits are compared, loggers and functions must be the same one. */
export function sameOptions(one: object, other: object): boolean {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].every((key) => {
    const [a, b]: unknown[] = [Reflect.get(one, key), Reflect.get(other, key)];
    return Object.is(a, b) || (["redactKeys", "retention"].includes(key) && Bun.deepEquals(a, b));
  });
}
