import { expect, test } from "bun:test";
import { onStandBack, standBack } from "../../../src/attaching/stand-back.ts";

test("whoever observes the standard streams is told to stop; where nobody does, nothing happens", () => {
  let told = 0;
  onStandBack(() => (told += 1));
  standBack();
  expect(told).toBe(1);
  onStandBack(() => undefined);
  standBack();
  expect(told).toBe(1);
});
