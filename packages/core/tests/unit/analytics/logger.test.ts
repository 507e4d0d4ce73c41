import { afterEach, describe, expect, mock, spyOn, test } from "bun:test";
import { type Logger, containLogger, stderrLogger } from "../../../src/analytics/logger.ts";
import { turn } from "../../support/event-loop.ts";
import { memoryLogger } from "../../support/memory-logger.ts";
import { runScript, specifier } from "../../support/run-script.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;

/** A logger that does this at each level. */
function loggerThat(act: () => unknown): Logger {
  return { debug: act, info: act, warn: act, error: act };
}

function fail(thrown: unknown): () => never {
  return () => {
    throw thrown;
  };
}

afterEach(() => {
  mock.restore();
});

describe("stderrLogger", () => {
  test("passes on warnings and errors, marked as ours, and drops the rest", () => {
    const warn = spyOn(console, "warn").mockImplementation(() => undefined);
    const error = spyOn(console, "error").mockImplementation(() => undefined);
    for (const level of LEVELS) stderrLogger[level](`about ${level}`);
    expect([warn.mock.calls, error.mock.calls]).toEqual([
      [["toolmeter: about warn"]],
      [["toolmeter: about error"]],
    ]);
  });

  test("writes warnings and errors to stderr, and nothing to stdout, which belongs to the protocol", async () => {
    const outcome = await runScript(`
      import { containLogger, stderrLogger } from ${specifier("logger")};
      for (const logger of [stderrLogger, containLogger(stderrLogger)]) {
        logger.debug("a detail");
        logger.info("a fact");
        logger.warn("a warning");
        logger.error("an error");
      }
    `);
    expect(outcome).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: "toolmeter: a warning\ntoolmeter: an error\n".repeat(2),
    });
  });
});

describe("console as a logger", () => {
  test("keeps warnings warnings and makes all else an error, which stderr takes", () => {
    const warn = spyOn(console, "warn").mockImplementation(() => undefined);
    const error = spyOn(console, "error").mockImplementation(() => undefined);
    const contained = containLogger(console);
    for (const level of LEVELS) contained[level](`about ${level}`);
    expect(warn.mock.calls).toEqual([["about warn"]]);
    expect(error.mock.calls).toEqual([["about debug"], ["about info"], ["about error"]]);
  });

  test("writes every level to stderr, and nothing to stdout, which belongs to the protocol", async () => {
    const outcome = await runScript(`
      import { containLogger } from ${specifier("logger")};
      const logger = containLogger(console);
      for (const level of ["debug", "info", "warn", "error"]) logger[level](level);
    `);
    expect(outcome).toEqual({ exitCode: 0, stdout: "", stderr: "debug\ninfo\nwarn\nerror\n" });
  });
});

describe("containLogger()", () => {
  test("hands each message on at its level", () => {
    const logger = memoryLogger();
    const contained = containLogger(logger);
    for (const level of LEVELS) contained[level](`about ${level}`);
    expect(logger.lines).toEqual([
      "debug: about debug",
      "info: about info",
      "warn: about warn",
      "error: about error",
    ]);
  });

  test("calls the logger as its own method", () => {
    class Counting {
      #count = 0;
      get count() {
        return this.#count;
      }
      debug = () => undefined;
      info = () => undefined;
      error = () => undefined;
      warn(_message: string) {
        this.#count += 1;
      }
    }
    const logger = new Counting();
    containLogger(logger).warn("once");
    expect(logger.count).toBe(1);
  });

  test.each<[string, Logger]>([
    ["throws an error", loggerThat(fail(new Error("broken")))],
    ["throws a text", loggerThat(fail("broken"))],
    ["throws null", loggerThat(fail(null))],
    ["throws what has no text", loggerThat(fail(Object.create(null)))],
    [
      "throws when its method is read",
      new Proxy(
        loggerThat(() => undefined),
        { get: fail(new Error("broken")) },
      ),
    ],
    [
      "returns what throws when it is looked at",
      loggerThat(() => new Proxy({}, { getPrototypeOf: fail(1) })),
    ],
  ])("contains a logger that %s", (_name, logger) => {
    const contained = containLogger(logger);
    for (const level of LEVELS) expect(contained[level]("hello")).toBeUndefined();
  });

  test("contains a logger that rejects, now or later", async () => {
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", listen);
    const rejecting = [
      () => Promise.reject(new Error("now")),
      () => Promise.reject(null),
      () => turn().then(fail(new Error("later"))),
    ];
    for (const act of rejecting) {
      const contained = containLogger(loggerThat(act));
      for (const level of LEVELS) expect(contained[level]("hello")).toBeUndefined();
    }
    await turn(3);
    process.off("unhandledRejection", listen);
    expect(unhandled).toEqual([]);
  });
});
