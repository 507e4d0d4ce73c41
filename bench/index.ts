/**
 * Measures the cost of recording, against raw `bun:sqlite` in the same run.
 *
 *   bun run bench [record] [flush] [session] [delay] [memory] [start] [values]
 *
 * Without a name, runs all parts. Machines are noisy: compare the ratios, and look at the percentiles.
 */
import { delay } from "./delay.ts";
import { flush } from "./flush.ts";
import { memory } from "./memory.ts";
import { record } from "./record.ts";
import { session } from "./session.ts";
import { start } from "./start.ts";
import { values } from "./values.ts";

const parts = { record, flush, session, delay, memory, start, values };
const wanted = process.argv.slice(2);

for (const [name, measure] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n${name}`);
  await measure();
}
