/** A server that is silent until it can see that nobody reads its output, then writes. Exits with 42 if that fails. */
import { writeSync } from "node:fs";
import { isBroken } from "../../src/record/descriptors.ts";

writeSync(1, "ready\n");
while (!isBroken(1)) Bun.sleepSync(5);
try {
  writeSync(1, "x");
} catch {
  process.exit(42);
}
