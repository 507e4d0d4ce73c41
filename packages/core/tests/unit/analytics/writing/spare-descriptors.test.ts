import { expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { devNull } from "node:os";
import { hasSpareDescriptors } from "../../../../src/analytics/writing/spare-descriptors.ts";
import { withDescriptors } from "../../../support/few-descriptors.ts";
import { run } from "../../../support/run.ts";
import { specifier } from "../../../support/run-script.ts";

/** The system gives the lowest number that is free. */
function nextDescriptor(): number {
  const descriptor = openSync(devNull, "r");
  closeSync(descriptor);
  return descriptor;
}

test("leaves the descriptors as they were", () => {
  const before = nextDescriptor();
  expect(hasSpareDescriptors(8)).toBe(true);
  expect(nextDescriptor()).toBe(before);
});

test.skipIf(process.platform === "win32")("says whether so many are free", async () => {
  const script = `
    import { hasSpareDescriptors } from ${specifier("writing/spare-descriptors")};
    console.log(hasSpareDescriptors(64), hasSpareDescriptors(8));`;
  const outcome = await run(withDescriptors(64, [process.execPath, "-e", script]));
  expect(outcome).toEqual({ exitCode: 0, stdout: "false true\n", stderr: "" });
});
