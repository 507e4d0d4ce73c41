#!/usr/bin/env bun
import { version } from "../package.json";

const words = process.argv.slice(2);

// Asked often, by scripts and by people who wonder whether it is there: nothing is loaded for it.
if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
  // oxlint-disable-next-line no-console -- `process.stdout` takes twice as long to load as all the rest.
  console.log(version);
} else {
  const { isolate } = await import("./isolation.ts");
  await isolate(words);
  const { main } = await import("./main.ts");
  await main(words);
}
