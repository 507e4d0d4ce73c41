import { isDisabled } from "../environment.ts";
import { type Logger, containLogger, stderrLogger } from "../logger.ts";
import type { RetentionPolicy } from "../housekeeping/retention.ts";
import type { Writer } from "../writing/writer.ts";

/** Every option has a default. An option that is no valid number keeps its default, with a warning. */
export interface TelemetryConfig {
  /**
   * Number of waiting records at which they are written without waiting for `flushIntervalMs`. Under load, one
   * transaction holds up to 20 times as many; a custom writer never gets more than this in one batch. Minimum: 1.
   * @default 50
   */
  readonly batchSize?: number;
  /** Longest time a record waits in memory, in milliseconds. Minimum: 1. @default 5_000 */
  readonly flushIntervalMs?: number;
  /** Records that wait in memory at most; further ones are dropped and counted. Minimum: 1. @default 10_000 */
  readonly maxQueueSize?: number;
  /**
   * Longest time `shutdown()` takes, in milliseconds. Below the 2 s after which MCP clients send SIGTERM
   * to a stdio server. Minimum: 0. @default 1_500
   */
  readonly shutdownTimeoutMs?: number;
  /** Whether to record at all. @default true, unless `TOOLMETER_DISABLED` is set */
  readonly enabled?: boolean;
  /** Whether `arguments` and `result` of calls are stored. @default false */
  readonly capturePayloads?: boolean;
  /**
   * Longest JSON text of one payload that is stored whole, in characters; of a longer one, this much of
   * its beginning. Minimum: 0. @default 65_536
   */
  readonly maxPayloadLength?: number;
  /**
   * Where the service reports. Of `console`, everything goes to stderr; another logger must not write to
   * stdout in a stdio server. @default warnings and errors on stderr
   */
  readonly logger?: Logger;
  /** Length of the records that wait at most, in characters; further ones are dropped and counted. Minimum: 1. @default 67_108_864 */
  readonly maxQueueBytes?: number;
  /**
   * Whether batches are written in a thread of their own; never for `":memory:"`. In a bundle, where the
   * bundled `@toolmeter/core/writer.worker` is. @default true
   */
  readonly worker?: boolean | string | URL;
  /**
   * Whether each record is kept in a file beside the database until it is written, so that it survives
   * SIGKILL; never for `":memory:"`. @default true
   */
  readonly journal?: boolean;
  /** What is removed again. Needs the worker. @default nothing */
  readonly retention?: RetentionPolicy;
  /** Where batches go instead of the database: without worker and journal. */
  readonly writer?: Writer;
}

export type ResolvedConfig = Required<Omit<TelemetryConfig, "writer">>;

/** Each number with its minimum and default. */
const NUMBERS = {
  batchSize: { minimum: 1, fallback: 50 },
  flushIntervalMs: { minimum: 1, fallback: 5_000 },
  maxQueueSize: { minimum: 1, fallback: 10_000 },
  shutdownTimeoutMs: { minimum: 0, fallback: 1_500 },
  maxPayloadLength: { minimum: 0, fallback: 65_536 },
  maxQueueBytes: { minimum: 1, fallback: 67_108_864 },
} as const;

/** The longest delay `setTimeout` knows; it takes a longer one for 1 ms. */
const MAX_NUMBER = 2 ** 31 - 1;

/** The configuration with its defaults. Warns of each value that it cannot use, never throws. */
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
      `Expected \`${key}\` to be an integer from ${minimum} to ${MAX_NUMBER}, got ${shown(value)}. Using ${fallback}.`,
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

/** A limit that makes no sense is no limit: nothing is removed by mistake. */
function resolveRetention(policy: RetentionPolicy = {}, logger: Logger): RetentionPolicy {
  const limits = (["maxAgeDays", "maxSizeMb"] as const).filter((key) => {
    const value: unknown = policy[key];
    if (value === undefined) return false;
    if (typeof value === "number" && value >= 1 && value <= MAX_NUMBER) return true;
    logger.warn(
      `Expected \`retention.${key}\` to be a number from 1, got ${shown(value)}. Nothing is removed by it.`,
    );
    return false;
  });
  return Object.fromEntries(limits.map((key) => [key, policy[key]]));
}

/** A number or a text as it is written in code; of anything else only its type, which is always safe to read. */
function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "number" ? String(value) : typeof value;
}
