import { describe, expect, test } from "bun:test";
import { resolveConfig } from "../../../../src/analytics/recording/config.ts";
import { environment } from "../../../support/environment.ts";
import { memoryLogger } from "../../../support/memory-logger.ts";

const LARGEST = 2 ** 31 - 1;

const DEFAULTS = {
  batchSize: 50,
  flushIntervalMs: 5_000,
  maxQueueSize: 10_000,
  shutdownTimeoutMs: 1_500,
  maxPayloadLength: 65_536,
  maxQueueBytes: 67_108_864,
};
const SWITCHES = {
  enabled: true,
  capturePayloads: false,
  worker: true,
  journal: true,
  retention: {},
};
const NUMBERS = [
  "batchSize",
  "flushIntervalMs",
  "maxQueueSize",
  "shutdownTimeoutMs",
  "maxPayloadLength",
  "maxQueueBytes",
] as const;

function explode(): never {
  throw new Error("logger");
}

/** The configuration of a caller whom no compiler checks, and what was logged of it. */
function resolveUnchecked(options: Record<string, unknown>) {
  const logger = memoryLogger();
  const { logger: _logger, ...config } = resolveConfig({ ...options, logger });
  return { config, lines: logger.lines };
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe("resolveConfig()", () => {
  test("has a default for everything", () => {
    using _ = environment({ TOOLMETER_DISABLED: undefined });
    const { logger, ...config } = resolveConfig({});
    expect(config).toEqual({ ...DEFAULTS, ...SWITCHES });
    expect(Object.keys(logger)).toEqual(["debug", "info", "warn", "error"]);
  });

  test("takes what it is given, without a word", () => {
    const options = {
      batchSize: 1,
      flushIntervalMs: 1,
      maxQueueSize: LARGEST,
      shutdownTimeoutMs: 0,
      maxPayloadLength: 0,
      maxQueueBytes: 1,
      enabled: false,
      capturePayloads: true,
      worker: false,
      journal: false,
      retention: { maxAgeDays: 90, maxSizeMb: 1.5 },
    };
    expect(resolveUnchecked(options)).toEqual({ config: options, lines: [] });
  });

  test("takes an option that is undefined for one that is missing", () => {
    using _ = environment({ TOOLMETER_DISABLED: undefined });
    const options = Object.fromEntries(
      [...NUMBERS, ...Object.keys(SWITCHES)].map((name) => [name, undefined]),
    );
    expect(resolveUnchecked(options)).toEqual({
      config: { ...DEFAULTS, ...SWITCHES },
      lines: [],
    });
  });

  describe.each(NUMBERS)("%s", (name) => {
    const minimum = ["shutdownTimeoutMs", "maxPayloadLength"].includes(name) ? 0 : 1;

    test.each<[string, unknown]>([
      ["less than its minimum", minimum - 1],
      ["negative", -1],
      ["NaN", Number.NaN],
      ["infinite", Number.POSITIVE_INFINITY],
      ["fractional", 10.5],
      ["more than a timer can wait", LARGEST + 1],
      ["a text", "100"],
      ["a bigint", 100n],
      ["a boxed number", Object(100)],
      ["null", null],
      ["a list", [100]],
      ["a symbol", Symbol("s")],
      ["an object without prototype", Object.create(null)],
      [
        "an object that throws when it is shown",
        {
          toString: () => {
            throw new Error("shown");
          },
        },
      ],
      ["a revoked proxy", revoked()],
    ])("keeps its default, with one warning, when it is %s", (_name, value) => {
      const { config, lines } = resolveUnchecked({ [name]: value });
      expect(config[name]).toBe(DEFAULTS[name]);
      const expected = `Expected \`${name}\` to be an integer from ${minimum} to ${LARGEST}, got `;
      expect(lines).toEqual([expect.stringContaining(`warn: ${expected}`)]);
      expect(lines[0]).toEndWith(`Using ${DEFAULTS[name]}.`);
    });
  });

  test("tells a text from the number it looks like", () => {
    expect(resolveUnchecked({ batchSize: "100" }).lines[0]).toMatch(/got "100"|got.*string/);
  });

  test("makes no batch larger than the queue, where it would never be full", () => {
    expect(resolveConfig({ batchSize: 500, maxQueueSize: 20 }).batchSize).toBe(20);
    expect(resolveConfig({ maxQueueSize: 20 }).batchSize).toBe(20);
    expect(resolveConfig({ batchSize: 20, maxQueueSize: 20 }).batchSize).toBe(20);
  });

  test.each([
    ["1", false],
    ["true", false],
    ["yes", false],
    ["", true],
    ["0", true],
    ["false", true],
  ])(
    "with TOOLMETER_DISABLED=%p, enabled is %p unless the caller says otherwise",
    (value, enabled) => {
      using _ = environment({ TOOLMETER_DISABLED: value });
      expect(resolveConfig({}).enabled).toBe(enabled);
      expect(resolveConfig({ enabled: true }).enabled).toBe(true);
      expect(resolveConfig({ enabled: false }).enabled).toBe(false);
    },
  );

  test("contains a logger that throws, for its own warnings too", () => {
    const logger = { debug: explode, info: explode, warn: explode, error: explode };
    const config = resolveConfig({ batchSize: -1, logger });
    expect(config.batchSize).toBe(50);
    expect(config.logger.error("hello")).toBeUndefined();
  });
});
