#!/usr/bin/env bun
import { version } from "../package.json";
import { standardOutput } from "./output/standard-output.ts";

const words = process.argv.slice(2);

// Answered without loading the program, because scripts often check the version.
const isAnswered =
  words.length === 1 &&
  (words[0] === "--version" || words[0] === "-V") &&
  (await standardOutput()(`${version}\n`).then(
    () => true,
    // The whole program then reports the error.
    () => false,
  ));
if (!isAnswered) {
  const { isolate } = await import("./isolation.ts");
  await isolate(words);
  const { main } = await import("./main.ts");
  await main(words);
}
