#!/usr/bin/env bun
import { version } from "../package.json";
import { standardOutput } from "./output/standard-output.ts";

const words = process.argv.slice(2);

// Asked often, by scripts and by people who wonder whether it is there: as little as possible is loaded for it.
const isAnswered =
  words.length === 1 &&
  (words[0] === "--version" || words[0] === "-V") &&
  (await standardOutput()(`${version}\n`).then(
    () => true,
    // The whole program says what is wrong.
    () => false,
  ));
if (!isAnswered) {
  const { isolate } = await import("./isolation.ts");
  await isolate(words);
  const { main } = await import("./main.ts");
  await main(words);
}
