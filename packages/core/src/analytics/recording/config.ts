import { isDisabled } from "../environment.ts";
import { type Logger, containLogger, stderrLogger } from "../logger.ts";
import type { RetentionPolicy } from "../housekeeping/retention.ts";
import type { Writer } from "../writing/writer.ts";

/** All options are optional. An invalid number is replaced by its default, with a warning. */
export interface TelemetryConfig {
  /**
   * Number of waiting records that triggers a write before `flushIntervalMs` has passed. It is not the size of a
   * transaction: if more records wait, one transaction writes up to 20 times as many, or 262,144 characters of JSON. A
   * custom `writer` receives at most `batchSize` records per batch. Limited to `maxQueueSize`. Minimum: 1. @default 50
   */
  readonly batchSize?: number;
  /** Longest time a record waits in memory, in milliseconds. Minimum: 1. @default 5_000 */
  readonly flushIntervalMs?: number;
  /** Maximum number of waiting records; further ones are dropped and counted. Minimum: 1. @default 10_000 */
  readonly maxQueueSize?: number;
  /**
   * Longest time that `shutdown()` takes, in milliseconds. The default is below the 2 s after which MCP clients send
   * SIGTERM to a stdio server. Minimum: 0. @default 1_500
   */
  readonly shutdownTimeoutMs?: number;
  /** Whether to record at all. @default true, unless `TOOLMETER_DISABLED` is set */
  readonly enabled?: boolean;
  /** Whether to store the `arguments` and the `result` of calls. @default false */
  readonly capturePayloads?: boolean;
  /**
   * Longest stored JSON text of one payload, in characters. Only the beginning of a longer one is stored. Minimum: 0.
   * @default 65_536
   */
  readonly maxPayloadLength?: number;
  /**
   * Receives the service's messages. For `console`, all levels go to stderr; in a stdio server, another logger must not
   * write to stdout. @default warnings and errors on stderr
   */
  readonly logger?: Logger;
  /**
   * Maximum total size of the waiting records, in characters of JSON; further ones are dropped and counted. Minimum: 1.
   * @default 67_108_864
   */
  readonly maxQueueBytes?: number;
  /**
   * Whether to write batches in a worker thread; never for `":memory:"`. In a bundle, set this to the path of the
   * bundled `@toolmeter/core/writer.worker`. @default true
   */
  readonly worker?: boolean | string | URL;
  /**
   * Whether to keep each record in a file beside the database until it is written, so that it survives SIGKILL; never
   * for `":memory:"`. @default true
   */
  readonly journal?: boolean;
  /** Limits on the age and size of stored data. Requires the worker. @default no limits */
  readonly retention?: RetentionPolicy;
  /** Receives batches instead of the database; worker and journal are then not used. */
  readonly writer?: Writer;
}

export type ResolvedConfig = Required<Omit<TelemetryConfig, "writer">>;

/** Minimum and default of each number. */
const NUMBERS = {
  batchSize: { minimum: 1, fallback: 50 },
  flushIntervalMs: { minimum: 1, fallback: 5_000 },
  maxQueueSize: { minimum: 1, fallback: 10_000 },
  shutdownTimeoutMs: { minimum: 0, fallback: 1_500 },
  maxPayloadLength: { minimum: 0, fallback: 65_536 },
  maxQueueBytes: { minimum: 1, fallback: 67_108_864 },
} as const;

/** The longest delay of `setTimeout`, which treats a longer one as 1 ms. */
const MAX_NUMBER = 2 ** 31 - 1;

/** Applies the defaults. Logs a warning for each invalid value; never throws. */
export function resolveConfig(config: TelemetryConfig): ResolvedConfig {
  const logger = containLogger(config.logger ?? stderrLogger);
  const number = (key: keyof typeof NUMBERS): number => {
    const { minimum, fallback } = NUMBERS[key];
    const value: unknown = config[key];
    if (value === undefined) return fallback;
    if (Number.isInteger(value) && Number(value) >= minimum && Number(value) <= MAX_NUMBER) {
      return Number(value);
    }
    logger.warn(
      `Expected \`${key}\` to be an integer from ${minimum} to ${MAX_NUMBER}, got ${format(value)}. Using ${fallback}.`,
    );
    return fallback;
  };
  const maxQueueSize = number("maxQueueSize");
  return {
    // A batch larger than the queue would never be full.
    batchSize: Math.min(number("batchSize"), maxQueueSize),
    flushIntervalMs: number("flushIntervalMs"),
    maxQueueSize,
    shutdownTimeoutMs: number("shutdownTimeoutMs"),
    maxPayloadLength: number("maxPayloadLength"),
    maxQueueBytes: number("maxQueueBytes"),
    worker: config.worker ?? true,
    journal: config.journal ?? true,
    retention: resolveRetention(config.retention, logger),
    enabled: config.enabled ?? !isDisabled(),
    capturePayloads: config.capturePayloads ?? false,
    logger,
  };
}

/** Ignores invalid limits, so that nothing is removed by mistake. */
function resolveRetention(policy: RetentionPolicy = {}, logger: Logger): RetentionPolicy {
  const limits = (["maxAgeDays", "maxSizeMb"] as const).filter((key) => {
    const value: unknown = policy[key];
    if (value === undefined) return false;
    if (typeof value === "number" && value >= 1 && value <= MAX_NUMBER) return true;
    logger.warn(
      `Expected \`retention.${key}\` to be a number of at least 1, got ${format(value)}. The limit is ignored.`,
    );
    return false;
  });
  return Object.fromEntries(limits.map((key) => [key, policy[key]]));
}

/** Formats a number or string as in code; for other values returns the type, which is always safe to read. */
function format(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "number" ? String(value) : typeof value;
}
