import {
  type AnalyticsDb,
  type FlushResult,
  type TelemetryConfig,
  TelemetryService,
  containLogger,
  createAnalyticsDb,
  stderrLogger,
} from "@toolmeter/core";

/** Longest time the first connection waits for others that migrate the file, in milliseconds. */
const OPEN_TIMEOUT_MS = 500;

/** After a failure to open the file, the next try comes no sooner, in milliseconds. */
const RETRY_MS = 30_000;

const NOTHING_TO_FLUSH: FlushResult = { outcome: "written", remaining: 0 };

/** Where and how records are kept. */
export interface ServiceOptions {
  readonly path: string | undefined;
  readonly config: Omit<TelemetryConfig, "writer">;
}

/**
 * A database and the `TelemetryService` on it, opened when first needed. What is not shut down ends with the
 * process: the core sees to it that nothing is lost.
 */
export class Service {
  readonly options: ServiceOptions;
  #open: { readonly db: AnalyticsDb; readonly telemetry: TelemetryService } | undefined;
  #retryAt = 0;
  #error: string | undefined;

  constructor(options: ServiceOptions) {
    this.options = options;
  }

  /** The service; undefined while recording is switched off or the file cannot be opened. */
  get telemetry(): TelemetryService | undefined {
    if (!this.#open && performance.now() >= this.#retryAt) this.#tryToOpen();
    return this.#open?.telemetry.isEnabled ? this.#open.telemetry : undefined;
  }

  /** Where records go, what became of them, and what is in the way; without opening anything. */
  get state() {
    return {
      path: this.#open?.db.path,
      isRecording: this.#open?.telemetry.isEnabled ?? false,
      stats: this.#open?.telemetry.stats,
      error: this.#error,
    };
  }

  flush(): Promise<FlushResult> {
    return this.#open?.telemetry.flush() ?? Promise.resolve(NOTHING_TO_FLUSH);
  }

  /** Writes everything and closes the file. A later call opens it again. */
  async shutdown(): Promise<FlushResult> {
    const open = this.#open;
    if (!open) return NOTHING_TO_FLUSH;
    // First, and at once: what is postponed still belongs here.
    const result = open.telemetry.shutdown();
    this.#open = undefined;
    await result;
    open.db.close();
    return result;
  }

  #tryToOpen(): void {
    const { path, config } = this.options;
    if (config.enabled === false) return;
    const logger = containLogger(config.logger ?? stderrLogger);
    try {
      const db = createAnalyticsDb(path, { openTimeoutMs: OPEN_TIMEOUT_MS, logger });
      this.#open = { db, telemetry: new TelemetryService(db, config) };
      this.#error = undefined;
    } catch (error) {
      this.#retryAt = performance.now() + RETRY_MS;
      const message = error instanceof Error ? error.message : String(error);
      if (this.#error === undefined)
        logger.warn(`Tool calls are not recorded. ${message} The tools are not affected.`);
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
