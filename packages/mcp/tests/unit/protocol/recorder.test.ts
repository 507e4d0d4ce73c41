import { expect, test } from "bun:test";
import { Recorder } from "../../../src/protocol/recorder.ts";

function recorder() {
  const warnings: string[] = [];
  const warn = (message: string) => {
    warnings.push(message);
    throw new Error("no place to log to");
  };
  const logger = { debug: warn, info: warn, warn, error: warn };
  const made = new Recorder({
    telemetry: () => undefined,
    missed: () => undefined,
    payloads: undefined,
    server: {},
    logger,
  });
  return { recorder: made, warnings };
}

test("what fails of ours is counted, and told once, also to a logger that throws", () => {
  const { recorder: guarded, warnings } = recorder();
  for (let i = 0; i < 3; i++)
    guarded.guard(() => {
      throw new Error("a bug");
    });
  expect(guarded.failures).toBe(3);
  expect(warnings).toEqual([
    "A message could not be recorded (Error: a bug). The tool is not affected; further ones are counted.",
  ]);
});

test("what waits for a continuation that never comes does not fill memory", () => {
  const { recorder: asked } = recorder();
  const state = (i: number) => ({ requestState: `state ${i}` });
  for (let i = 0; i < 1_200; i++) asked.asked(state(i), "turn", `call ${i}`);
  expect(asked.continuedFrom(state(0), "turn")).toBeUndefined();
  expect(asked.continuedFrom(state(1_199), "turn")).toBe("call 1199");
});

test("a question without a state is continued on its connection, by the same call", () => {
  const { recorder: asked } = recorder();
  asked.asked({}, "connection echo a1", "call 1");
  const retry = { inputResponses: {} };
  expect(asked.continuedFrom(retry, "connection echo a1")).toBe("call 1");
  expect(asked.continuedFrom(retry, "other echo a1")).toBeUndefined();
  expect(asked.continuedFrom({}, "connection echo a1")).toBeUndefined();
});
