#!/usr/bin/env bun
import { version } from "../package.json";

const words = process.argv.slice(2);

// Asked often, by scripts and by people who wonder whether it is there: nothing is loaded for it.
if (words.length === 1 && (words[0] === "--version" || words[0] === "-V")) {
  process.stdout.write(`${version}\n`);
} else {
  const { main } = await import("./main.ts");
  await main(words);
}
