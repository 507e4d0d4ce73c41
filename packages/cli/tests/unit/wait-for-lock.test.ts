import { expect, test } from "bun:test";
import { AnalyticsError } from "@toolmeter/core";
import { whileLocked } from "../../src/transfer/wait-for-lock.ts";

const locked = () => new AnalyticsError("locked", "/tmp/a.db", "Expected a lock");

test("runs a step again until the lock is free, and says once that it waits", async () => {
  const said: string[] = [];
  let attempts = 0;
  const result = await whileLocked(
    () => {
      attempts += 1;
      if (attempts < 4) throw locked();
      return "done";
    },
    (text) => void said.push(text),
  );
  expect({ result, attempts }).toEqual({ result: "done", attempts: 4 });
  expect(said).toEqual([expect.stringContaining("/tmp/a.db")]);
});

test("gives up with the step's own error when its patience ends", async () => {
  const error = locked();
  const step = () => {
    throw error;
  };
  const failure = await whileLocked(step, () => undefined, 60).catch((thrown: unknown) => thrown);
  expect(failure).toBe(error);
});

test("throws every other error at once", async () => {
  let attempts = 0;
  const step = () => {
    attempts += 1;
    throw new Error("no");
  };
  const failure = await whileLocked(step, () => undefined).catch((error: unknown) => error);
  expect(failure).toEqual(new Error("no"));
  expect(attempts).toBe(1);
});
