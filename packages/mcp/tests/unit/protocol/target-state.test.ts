import { expect, test } from "bun:test";
import { TargetState } from "../../../src/protocol/target-state.ts";

test("errors of ours are counted, and the first is logged", () => {
  const target = new TargetState();
  const warnings: string[] = [];
  const log = (message: string) => void warnings.push(message);
  const logger = { debug: log, info: log, warn: log, error: log };
  for (let i = 0; i < 3; i++)
    target.guard(() => {
      throw new Error("a bug");
    }, logger);
  expect(target.failures).toBe(3);
  expect(warnings).toEqual([
    "A message could not be recorded (a bug). The tool is not affected; further ones are counted.",
  ]);
});

test("questions whose continuation never comes do not fill memory", () => {
  const target = new TargetState();
  const state = (i: number) => ({ requestState: `state ${i}` });
  for (let i = 0; i < 1_200; i++) target.asked(state(i), "turn", `call ${i}`);
  expect(target.continuedFrom(state(0), "turn")).toBeUndefined();
  expect(target.continuedFrom(state(1_199), "turn")).toBe("call 1199");
});

test("a question without a state is continued on its connection, by the same call", () => {
  const target = new TargetState();
  target.asked({}, "connection echo a1", "call 1");
  const retry = { inputResponses: {} };
  expect(target.continuedFrom(retry, "connection echo a1")).toBe("call 1");
  expect(target.continuedFrom(retry, "other echo a1")).toBeUndefined();
  expect(target.continuedFrom({}, "connection echo a1")).toBeUndefined();
});
